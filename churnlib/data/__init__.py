"""Tables: made, read, described, checked, split and fingerprinted. Pure: no tracking, no clock."""
