"""The self-service page: each user sees what is theirs, in a browser (sec2-rules section 12 [238-252, 396-398])."""
