"""The coach's desk: what spans the apps inside the admin."""
