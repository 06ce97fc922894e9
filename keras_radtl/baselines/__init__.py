"""Statistical baselines on arrays: logistic regression, lasso with a certificate of optimality, and their simulation.

| module | content |
|---|---|
| `standardization` | pixels as a float32 matrix with mean 0 and standard deviation 1 |
| `certificate` | duality gap, KKT violation and sparsity of any solution of a lasso or elastic net |
| `lasso` | a fit at one C and a path over C, with several solvers |
| `working_set` | the default solver |
| `selection` | the choice of C by validation cases or by grouped cross-validation |
| `separation` | whether a hyperplane separates the two classes |
| `logistic` | logistic regression by maximum likelihood |
| `simulation` | how well maximum likelihood recovers known coefficients |

None of them needs TensorFlow.
"""
