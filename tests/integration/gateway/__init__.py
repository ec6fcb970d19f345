"""The mock gateway as its clients see it. A package, so that the tests can share their clients."""
