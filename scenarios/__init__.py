"""The catalogue: one module an area, one function a scenario. Run it by ``pytest --pyargs pytest_mtls.scenarios``."""
