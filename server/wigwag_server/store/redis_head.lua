-- Where the log is.      KEYS  1 state  2 records

return head_of(KEYS[1], KEYS[2], this_run())
