"""SSH between two connections of asyncssh: loaded only when an SSH flow comes.

session     what the pump runs: bytes in and out, commands     bridge   the flow's two connections, and what is asked
transport   stands between asyncssh and a session's lists      client   our server: what a client may ask for
upstream    our client: the login, and the server's host key   channel  one session channel and its upstream twin
lines       a here-document, a line at a time            environment  the variables that go on
forwards    what a client asks to have forwarded         places   where that goes
tunnel      streams that are looked into: each a flow of its own, or bytes
stream      streams that are passed on as they are       display  X11's
identity    the worker's host key and its certificate          opening  a session for a flow
"""
