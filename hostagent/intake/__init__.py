"""Where redirected connections arrive: the transparent listeners, and what an accepted socket says of its flow."""
