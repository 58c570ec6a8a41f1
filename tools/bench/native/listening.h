/* What the servers in C have in common: the socket that they listen on, and the line that says where. */
#ifndef LISTENING_H
#define LISTENING_H

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum behaviour { ECHO, LINES, SINK, SOURCE };

static inline void give_up(const char *reason)
{
	perror(reason);
	exit(1);
}

static inline enum behaviour behaviour_named(const char *name)
{
	static const char *const names[] = { [ECHO] = "echo", [LINES] = "lines", [SINK] = "sink", [SOURCE] = "source" };
	for (int behaviour = ECHO; behaviour <= SOURCE; behaviour++)
		if (name != NULL && strcmp(names[behaviour], name) == 0) return (enum behaviour)behaviour;
	fprintf(stderr, "echo, lines, sink or source BYTES is wanted\n");
	exit(1);
}

/* A non-blocking socket that listens on a free port. SIGUSR2 asks servers to collect garbage, of which there is none here. */
static inline int listen_somewhere(void)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t length = sizeof address;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (listener < 0) give_up("socket");
	if (bind(listener, (struct sockaddr *)&address, length) != 0) give_up("bind");
	if (listen(listener, 1024) != 0) give_up("listen");
	if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) give_up("getsockname");
	signal(SIGPIPE, SIG_IGN);
	signal(SIGUSR2, SIG_IGN);
	return listener;
}

static inline void announce(int listener)
{
	struct sockaddr_in address;
	socklen_t length = sizeof address;
	if (getsockname(listener, (struct sockaddr *)&address, &length) != 0) give_up("getsockname");
	printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
	fflush(stdout);
}

static inline void send_without_delay(int descriptor)
{
	int on = 1;
	setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

#endif
