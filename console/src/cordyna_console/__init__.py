"""The console: the web page of cordyna, and the JSON API beside it."""
