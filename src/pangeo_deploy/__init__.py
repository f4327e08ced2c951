"""Deploy, use, benchmark and pay for a Pangeo hub on AWS, or rehearse all of it on one machine."""
