-- channel_listen: hears the notifications of a channel in this session.
-- parameters: {channel}, a quoted identifier put in by the caller (LISTEN takes no parameter).
-- locks: none. index: none.
listen {channel}
