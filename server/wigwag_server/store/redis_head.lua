-- Where the log is.      KEYS  1 state

return head_of(KEYS[1], this_run())
