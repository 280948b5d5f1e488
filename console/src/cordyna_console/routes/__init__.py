"""Routes: the addresses of the API, thin functions over `answers`."""
