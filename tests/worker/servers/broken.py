"""A server that cannot be imported."""

print("importing")
raise RuntimeError("the database is not there")
