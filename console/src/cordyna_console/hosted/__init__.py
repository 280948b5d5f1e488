"""Hosted: the console behind an HTTP API of AWS, one Lambda function for each permission."""
