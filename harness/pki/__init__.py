"""Certificates before any connection: keys, authorities, gateway certificates, defects, truststores."""
