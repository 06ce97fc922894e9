"""What people read about runs: texts, tables and figures, made from results that others computed."""
