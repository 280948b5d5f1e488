"""Answers: what the API says, made from the two ports. No HTTP here."""
