"""What a terminal shows: pure functions from views to lines, with `now` and the width as arguments."""
