# Fit the data sets in mixed_model/ with lme4 and lmerTest and write mixed_model/expected.json.
# R 4.2.2, lme4 1.1-31, lmerTest 3.1-3. Run in this folder: LC_ALL=C Rscript mixed_model.R
#
# The default optimizer of lme4 has a precision of about 1e-6 in theta, and derivative-free optimizers reach 1e-7. For a
# comparison at full precision, the deviance function of lme4 is minimized further: nloptwrap with small tolerances,
# then Newton steps with the gradient and Hessian of numDeriv for all theta > 0. The model is built by lme4 (mkMerMod)
# and tested by lmerTest, both unmodified. `default_criterion` is the result of lmer() with default settings.
suppressMessages({library(lme4); library(lmerTest); library(numDeriv); library(jsonlite)})

polish <- function(devfun, theta) {
  theta[theta < 1e-5] <- 0
  free <- theta > 0
  along <- function(x) { full <- theta; full[free] <- x; devfun(full) }
  best <- theta[free]
  if (any(free)) for (i in 1:6) {
    step <- solve(hessian(along, best), grad(along, best))
    if (max(abs(step)) > 0.01) break
    best <- best - step
  }
  theta[free] <- best
  theta
}

fit <- function(formula, data, reml) {
  tight <- lmerControl(optimizer = "nloptwrap", calc.derivs = FALSE, optCtrl = list(
    algorithm = "NLOPT_LN_BOBYQA", xtol_abs = 1e-12, xtol_rel = 1e-12, ftol_abs = 1e-14, ftol_rel = 1e-15, maxeval = 1e5))
  call <- bquote(lme4::lmer(.(formula), data = data, REML = .(reml)))
  default <- suppressMessages(eval(call))
  first <- suppressMessages(lme4::lmer(formula, data = data, REML = reml, control = tight))
  parsed <- lFormula(formula, data = data, REML = reml)
  devfun <- do.call(mkLmerDevfun, parsed)
  theta <- polish(devfun, getME(first, "theta"))
  value <- devfun(theta)
  opt <- list(par = theta, fval = value, conv = 0, message = "polished")
  model <- mkMerMod(environment(devfun), opt, parsed$reTrms, fr = parsed$fr, mc = default@call)
  list(model = model, default = default)
}

describe <- function(name, formula, data, reml) {
  both <- fit(formula, data, reml)
  environment(formula) <- environment()
  tested <- suppressWarnings(as_lmerModLmerTest(both$model))
  table <- summary(tested)$coefficients
  components <- as.data.frame(VarCorr(both$model))
  list(data = name, method = if (reml) "reml" else "ml", formula = deparse1(formula),
       fixed = data.frame(term = rownames(table), estimate = table[, 1], std_error = table[, 2], df = table[, 3],
                          t = table[, 4], p = table[, 5], row.names = NULL),
       random = data.frame(group = components$grp, variance = components$vcov, std_dev = components$sdcor),
       criterion = unname(if (reml) REMLcrit(both$model) else deviance(both$model)),
       default_criterion = unname(if (reml) REMLcrit(both$default) else deviance(both$default)),
       scaled_residuals = unname(quantile(residuals(both$model, scaled = TRUE))),
       first_random_effects = ranef(both$model)[[components$grp[1]]][, 1],
       boundary = isSingular(both$model), n = nobs(both$model))
}

compare <- function(name, smaller, larger, data) {
  a <- fit(smaller, data, FALSE)$model
  b <- fit(larger, data, FALSE)$model
  statistic <- as.numeric(2 * (logLik(b) - logLik(a)))
  df <- attr(logLik(b), "df") - attr(logLik(a), "df")
  list(data = name, smaller = deparse1(smaller), larger = deparse1(larger), statistic = statistic, df = df,
       p = pchisq(statistic, df, lower.tail = FALSE))
}

read <- function(name) {
  path <- file.path("mixed_model", paste0(name, c(".csv", ".csv.gz")))
  read.csv(path[file.exists(path)][1], stringsAsFactors = TRUE, na.strings = character())
}

formulas <- list(
  list("balanced", y ~ arm + (1 | reader) + (1 | image)),
  list("unbalanced", y ~ age + dose + (1 | site) + (1 | scanner)),
  list("zero_variance", y ~ method + (1 | batch) + (1 | day)),
  list("all_zero", y ~ arm + (1 | group)),
  list("two_levels", y ~ head + (1 | task) + (1 | backbone)),
  list("grid", y ~ pretrain + (1 | clf) + (1 | numfilters) + (1 | lrdecay) + (1 | backbone) + (1 | task)),
  list("grid", y ~ clf + (1 | task) + (1 | pretrain) + (1 | backbone) + (1 | lrdecay) + (1 | numfilters)),
  list("grid_singular", y ~ clf + (1 | task) + (1 | pretrain) + (1 | backbone) + (1 | lrdecay) + (1 | numfilters)),
  list("nested", y ~ dose + (1 | patient) + (1 | hospital)),
  list("single_factor", y ~ arm + (1 | group)),
  list("large", y ~ model + age + (1 | patient) + (1 | reader) + (1 | site)))

fits <- list()
for (entry in formulas) for (reml in c(TRUE, FALSE))
  fits[[length(fits) + 1]] <- describe(entry[[1]], entry[[2]], read(entry[[1]]), reml)
tests <- list(
  compare("unbalanced", y ~ age + (1 | site) + (1 | scanner), y ~ age + dose + (1 | site) + (1 | scanner), read("unbalanced")),
  compare("unbalanced", y ~ age + dose + (1 | site), y ~ age + dose + (1 | site) + (1 | scanner), read("unbalanced")))
versions <- list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
                 lmerTest = as.character(packageVersion("lmerTest")))
write(toJSON(list(versions = versions, fits = fits, ratio_tests = tests), digits = NA, auto_unbox = TRUE, pretty = TRUE),
      "mixed_model/expected.json")
