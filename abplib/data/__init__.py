"""Where videos come from: files (`video`) and synthetic patterns (`patterns`)."""
