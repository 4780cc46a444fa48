"""SSH between two connections of asyncssh: loaded only when an SSH flow comes.

session     what the pump runs: bytes in and out, commands     bridge   the flow's two connections, and what is asked
transport   stands between asyncssh and a session's lists      client   our server: what a client may ask for
upstream    our client: the login, and the server's host key   channel  one session channel and its upstream twin
tunnel      forwarded streams: each a flow of its own, or bytes
identity    the worker's host key and its certificate          opening  a session for a flow
"""
