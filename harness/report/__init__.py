"""Writers over one list of outcomes: terminal, JSON, JUnit. They read outcomes and nothing else."""
