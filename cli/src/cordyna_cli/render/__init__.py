"""What a terminal shows: pure functions from views to lines; `now` and the width are arguments."""
