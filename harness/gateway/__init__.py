"""The mock gateway: an Amazon API Gateway on loopback that really presents its client certificates to backends."""
