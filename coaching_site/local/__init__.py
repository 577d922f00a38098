"""The whole site on one machine for `make run` and `make test`: Postgres, web and worker."""
