# Write mcnemar.csv, cochran.csv, adjusted.csv, wilson.csv and recalibration.csv with base R.
# Run in this folder: Rscript paired.R
RNGkind("Mersenne-Twister", "Inversion", "Rejection")
set.seed(11)
digits <- function(table) {
  for (name in names(table)) if (is.numeric(table[[name]])) table[[name]] <- sprintf("%.17g", table[[name]])
  table
}
save <- function(table, file) write.csv(digits(table), file, row.names = FALSE, quote = FALSE)

# McNemar: b = cases that only model a predicts correctly, c = cases that only model b predicts correctly.
counts <- rbind(c(12, 5), c(5, 12), c(7, 7), c(1, 0), c(0, 9), c(3, 2), c(59, 6), c(101, 121), c(1, 1), c(400, 330))
save(do.call(rbind, apply(counts, 1, function(x) {
  table <- matrix(c(50, x[1], x[2], 30), 2)
  corrected <- mcnemar.test(table, correct = TRUE)
  plain <- mcnemar.test(table, correct = FALSE)
  exact <- binom.test(x[1], sum(x))
  data.frame(b = x[1], c = x[2], corrected = corrected$statistic, corrected_p = corrected$p.value,
             chi2 = plain$statistic, chi2_p = plain$p.value, exact_p = exact$p.value)
})), "mcnemar.csv")

# Cochran's Q test is the Friedman test of 0/1 data.
cochran <- lapply(1:4, function(i) {
  k <- c(2, 3, 4, 7)[i]
  right <- sapply(seq_len(k), function(j) rbinom(40, 1, 0.5 + 0.06 * j))
  test <- friedman.test(right)
  data.frame(table = i, case = rep(1:40, k), model = rep(seq_len(k), each = 40), right = as.vector(right),
             q = test$statistic, df = test$parameter, p = test$p.value,
             row.names = NULL)
})
save(do.call(rbind, cochran), "cochran.csv")

p <- list(c(0.01, 0.02, 0.03, 0.04), c(0.5, 0.0001, 0.049, 0.049, 0.9), c(0.2), c(1, 1, 0.3), runif(12)^3)
save(do.call(rbind, lapply(seq_along(p), function(i) {
  data.frame(set = i, p = p[[i]], holm = p.adjust(p[[i]], "holm"), bh = p.adjust(p[[i]], "BH"))
})), "adjusted.csv")

proportions <- rbind(c(0, 10), c(10, 10), c(1, 2), c(7, 78), c(71, 78), c(500, 1000))
save(do.call(rbind, apply(proportions, 1, function(x) do.call(rbind, lapply(c(0.95, 0.9), function(level) {
  bounds <- suppressWarnings(prop.test(x[1], x[2], conf.level = level, correct = FALSE)$conf.int)
  data.frame(successes = x[1], n = x[2], level, ci_low = bounds[1], ci_high = bounds[2])
})))), "wilson.csv")

# Recalibration: logistic regression of the outcome on the logit of the prediction; intercept with the slope fixed at 1.
recalibration <- lapply(1:3, function(i) {
  truth <- rnorm(150)
  y <- rbinom(150, 1, plogis(truth))
  prediction <- plogis(c(0.3, 0, -0.5)[i] + c(2, 1, 0.6)[i] * truth)
  logit <- qlogis(prediction)
  control <- glm.control(epsilon = 1e-14, maxit = 100)
  free <- glm(y ~ logit, family = binomial, control = control)
  fixed <- glm(y ~ 1 + offset(logit), family = binomial, control = control)
  data.frame(set = i, y, prediction, intercept = coef(free)[1], slope = coef(free)[2],
             slope_error = sqrt(vcov(free)[2, 2]), in_the_large = coef(fixed)[1], in_the_large_error = sqrt(vcov(fixed)[1, 1]),
             row.names = NULL)
})
save(do.call(rbind, recalibration), "recalibration.csv")
