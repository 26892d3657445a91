-- Where the log is.      KEYS  1 state  2 records

return too_new(KEYS[1]) or head_of(KEYS[1], KEYS[2], this_run())
