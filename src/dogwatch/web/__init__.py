"""The page and the API: parse a request, call a verb, render. Who may do what is decided in one place, by the
table of routes. Everything that platforms said is text and nothing else."""
