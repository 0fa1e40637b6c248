"""Pipeline schedules, one per file: who works on which microbatch when."""
