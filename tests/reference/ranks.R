# Run the rank tests of R on fixed samples and write ranks.json. R 4.2.2. Run in this folder: Rscript ranks.R
library(jsonlite)
options(warn = -1)  # R warns that it cannot compute exact p-values with ties; some samples have ties on purpose
set.seed(21)
samples <- list(
  small = list(c(0.91, 0.85, 0.78), c(0.7, 0.72, 0.9, 0.69)),
  separated = list(1:6 + 0, 11:18 + 0),
  forty_nine = list(round(rnorm(49), 6), round(rnorm(49, 0.4), 6)),
  fifty = list(round(rnorm(50), 6), round(rnorm(12, 0.5), 6)),
  tied = list(c(1, 2, 2, 3, 5), c(2, 3, 3, 4, 6, 7)),
  centred = list(c(1, 4), c(2, 3)),
  centred_tied = list(c(1, 1, 4, 4), c(1, 1, 4, 4)),
  grid = list(round(rnorm(88, 0.8, 0.1), 3), round(rnorm(88, 0.82, 0.1), 3)),
  one_value = list(c(3), c(1, 2, 4, 5, 6)))
pairs <- list(
  small = list(c(0.91, 0.85, 0.78, 0.8, 0.95), c(0.9, 0.83, 0.75, 0.84, 0.9)),
  zeros = list(c(1, 2, 3, 4, 5, 6), c(1, 1.5, 3.7, 3.1, 5, 4.8)),
  tied = list(c(5, 7, 3, 8, 9, 4), c(4, 6, 4, 6, 7, 5)),
  forty_nine = list(round(rnorm(49), 6), round(rnorm(49, 0.3), 6)),
  fifty = list(round(rnorm(50), 6), round(rnorm(50, 0.3), 6)),
  centred = list(c(3, 1, 5, 2), c(2, 2, 3, 4)))
groups <- list(
  plain = list(c(2.9, 3.0, 2.5, 2.6, 3.2), c(3.8, 2.7, 4.0, 2.4), c(2.8, 3.4, 3.7, 2.2, 2.0)),
  tied = list(c(1, 2, 2, 3), c(2, 3, 3, 4), c(1, 1, 2), c(5, 5)))
tables <- list(
  plain = matrix(round(runif(60, 0.6, 0.95), 4), 12, 5),
  tied = matrix(sample(1:4, 40, TRUE) + 0, 10, 4),
  two_models = matrix(round(runif(16), 3), 8, 2))

of_pair <- function(s, paired) {
  t <- wilcox.test(s[[1]], s[[2]], paired = paired)
  list(first = s[[1]], second = s[[2]], statistic = unname(t$statistic), p = t$p.value,
       exact = grepl("exact", t$method) && !grepl("continuity", t$method))
}
of_groups <- function(s) {
  t <- kruskal.test(s)
  list(samples = s, statistic = unname(t$statistic), df = unname(t$parameter), p = t$p.value)
}
of_table <- function(x) {
  t <- friedman.test(x)
  mean_ranks <- colMeans(t(apply(-x, 1, rank)))
  k <- ncol(x)
  error <- sqrt(k * (k + 1) / (12 * nrow(x)))
  p <- ptukey(abs(outer(mean_ranks, mean_ranks, "-")) / error, k, Inf, lower.tail = FALSE)
  list(table = x, statistic = unname(t$statistic), df = unname(t$parameter), p = t$p.value, mean_ranks = mean_ranks,
       nemenyi = p, critical_difference = qtukey(0.95, k, Inf) * error)
}
write(toJSON(list(R = R.version.string, rank_sum = lapply(samples, of_pair, FALSE), signed_rank = lapply(pairs, of_pair, TRUE),
                  kruskal = lapply(groups, of_groups), friedman = lapply(tables, of_table)),
             digits = NA, auto_unbox = FALSE, pretty = FALSE), "ranks.json")
