# Write delong_scores.csv, delong_single.csv, delong_paired.csv, delong_unpaired.csv and delong_global.csv with pROC.
# Run in this folder: Rscript delong.R
suppressMessages(library(pROC))
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(20250117)

digits <- function(table) {
  for (name in names(table)) if (is.numeric(table[[name]])) table[[name]] <- sprintf("%.17g", table[[name]])
  table
}
save <- function(table, file) write.csv(digits(table), file, row.names = FALSE, quote = FALSE)

pair <- function(positives, negatives, effect, correlation = 0.6, change = identity) {
  n <- positives + negatives
  target <- rep(c(1, 0), c(positives, negatives))
  common <- rnorm(n)
  draw <- function() change(target * effect + sqrt(correlation) * common + sqrt(1 - correlation) * rnorm(n))
  data.frame(target = target, a = draw(), b = draw())
}

cases <- list(
  continuous     = pair(50, 50, 1.0),
  unbalanced     = pair(8, 152, 1.0),
  few_negatives  = pair(120, 5, 1.0),
  five_levels    = pair(60, 90, 1.0, change = function(x) pmin(pmax(round(x), -2), 2)),
  two_levels     = pair(40, 70, 1.0, change = function(x) as.numeric(x > 0.5)),
  one_decimal    = pair(90, 30, 0.8, change = function(x) round(x, 1)),
  two_positives  = pair(2, 60, 0.5),
  one_positive   = pair(1, 40, 0.5),
  near_one       = pair(45, 75, 4.0),
  below_half     = pair(30, 50, -0.8),
  reversed       = pair(40, 40, -1.2),
  nearly_equal   = pair(70, 70, 1.2, correlation = 0.9999),
  uncorrelated   = pair(70, 50, 0.7, correlation = 0),
  tiny_scores    = pair(50, 60, 1.0, change = function(x) x * 1e-12),
  huge_scores    = pair(50, 60, 1.0, change = function(x) 1e12 + round(x * 1e3)),
  large          = pair(300, 500, 0.9, change = function(x) round(x, 2))
)
cases$perfect <- transform(pair(20, 25, 1.0), a = target * 10 + a)
cases$same_twice <- transform(pair(25, 25, 1.0), b = a)

direction <- function(name) if (name == "reversed") ">" else "<"
curve <- function(name, column) {
  roc(cases[[name]]$target, cases[[name]][[column]], levels = c(0, 1), direction = direction(name), quiet = TRUE)
}

single <- list(); paired <- list(); unpaired <- list()
for (name in names(cases)) {
  for (column in c("a", "b")) for (level in c(0.95, 0.8)) {
    r <- curve(name, column)
    bounds <- suppressWarnings(ci.auc(r, conf.level = level, method = "delong"))
    variance <- if (name == "one_positive") NA else var(r, method = "delong")
    single[[length(single) + 1]] <- data.frame(name, column, direction = direction(name), level, auc = as.numeric(auc(r)),
                                               variance, ci_low = bounds[1], ci_high = bounds[3])
  }
  if (name == "one_positive") next
  for (alternative in c("two.sided", "less", "greater")) {
    test <- roc.test(curve(name, "a"), curve(name, "b"), method = "delong", paired = TRUE, alternative = alternative)
    paired[[length(paired) + 1]] <- data.frame(name, direction = direction(name), alternative, z = test$statistic,
      p = test$p.value, ci_low = test$conf.int[1], ci_high = test$conf.int[2],
      covariance = cov(curve(name, "a"), curve(name, "b"), method = "delong"))
  }
}
for (other in c("unbalanced", "five_levels", "near_one", "large")) for (alternative in c("two.sided", "less", "greater")) {
  test <- roc.test(curve("continuous", "a"), curve(other, "b"), method = "delong", paired = FALSE, alternative = alternative)
  unpaired[[length(unpaired) + 1]] <- data.frame(other, alternative, t = test$statistic, df = test$parameter, p = test$p.value)
}

# Several curves: covariance matrix from pROC, chi-squared test of DeLong et al. (1988), eq. (5), by matrix algebra.
many <- function(k, n, change) {
  target <- rbinom(n, 1, 0.4)
  common <- rnorm(n)
  scores <- sapply(seq_len(k), function(i) change(target * (0.6 + 0.15 * i) + common + rnorm(n)))
  rocs <- lapply(seq_len(k), function(i) roc(target, scores[, i], levels = c(0, 1), direction = "<", quiet = TRUE))
  covariance <- outer(seq_len(k), seq_len(k), Vectorize(function(i, j) {
    if (i == j) var(rocs[[i]], method = "delong") else cov(rocs[[i]], rocs[[j]], method = "delong")
  }))
  aucs <- sapply(rocs, function(r) as.numeric(auc(r)))
  contrast <- cbind(diag(k - 1), -1)
  d <- contrast %*% aucs
  chi2 <- drop(t(d) %*% solve(contrast %*% covariance %*% t(contrast)) %*% d)
  list(target = target, scores = scores, aucs = aucs, covariance = covariance, chi2 = chi2,
       p = pchisq(chi2, k - 1, lower.tail = FALSE))
}
groups <- list(three = many(3, 120, identity), four_tied = many(4, 150, round), six = many(6, 300, function(x) round(x, 1)))
global <- do.call(rbind, lapply(names(groups), function(name) {
  g <- groups[[name]]
  k <- length(g$aucs)
  data.frame(name, i = rep(seq_len(k), k), j = rep(seq_len(k), each = k), covariance = as.vector(g$covariance),
             auc_i = rep(g$aucs, k), chi2 = g$chi2, df = k - 1, p = g$p)
}))

scores <- do.call(rbind, lapply(names(cases), function(name) {
  case <- cases[[name]]
  rbind(data.frame(name, column = "a", target = case$target, score = case$a),
        data.frame(name, column = "b", target = case$target, score = case$b))
}))
more <- do.call(rbind, lapply(names(groups), function(name) {
  g <- groups[[name]]
  data.frame(name, column = rep(seq_along(g$aucs), each = length(g$target)), target = rep(g$target, length(g$aucs)),
             score = as.vector(g$scores))
}))
save(rbind(scores, more), "delong_scores.csv")
save(do.call(rbind, single), "delong_single.csv")
save(do.call(rbind, paired), "delong_paired.csv")
save(do.call(rbind, unpaired), "delong_unpaired.csv")
save(global, "delong_global.csv")
