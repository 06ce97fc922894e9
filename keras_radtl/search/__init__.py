"""Many runs at once: lists of runs, their execution in child processes, and what comes out as one table.

`grid` describes and orders runs, `worker` executes some of them in a process of its own, `engine` drives the workers
and `table` collects the results; `comparison` sets strategies beside each other.
"""
