"""Connections: how one call is sent.

http          builds, signs and sends a call; retries where that is safe
credentials   finds the credentials and keeps them secret
transport     where requests go: the network, an app in this process, or a local address
proxies       the proxies and certificates of the environment
failures      the error of a connection that failed, with what to check
connectivity  checks whether a bucket can be reached and used
"""
