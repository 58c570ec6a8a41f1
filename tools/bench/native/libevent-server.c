/*
 * The same servers on bufferevents of libevent, with its defaults:
 *
 *   libevent-server echo | lines | sink | source BYTES        (see epoll-server.c)
 */
#define _GNU_SOURCE
#include "listening.h"
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>

enum { PIECE_BYTES = 64 * 1024 };

/* Of one connection: received by a sink, or left to send of a source. */
struct tally {
	long long count;
	int ending;
};

static enum behaviour behaviour;
static long long source_bytes;
static char piece[PIECE_BYTES];

static void drop(struct bufferevent *bev, void *tally)
{
	bufferevent_free(bev);
	free(tally);
}

static void on_read(struct bufferevent *bev, void *context)
{
	struct evbuffer *input = bufferevent_get_input(bev), *output = bufferevent_get_output(bev);
	struct tally *tally = context;
	if (behaviour == ECHO) {
		evbuffer_add_buffer(output, input);
	} else if (behaviour == LINES) {
		size_t length;
		char *line;
		while ((line = evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF)) != NULL) {
			evbuffer_add(output, line, length);
			evbuffer_add(output, "\r\n", 2);
			free(line);
		}
	} else {
		tally->count += (long long)evbuffer_get_length(input);
		evbuffer_drain(input, evbuffer_get_length(input));
	}
}

/* The output is empty. */
static void on_write(struct bufferevent *bev, void *context)
{
	struct tally *tally = context;
	if (tally->ending) {
		drop(bev, tally);
	} else if (behaviour == SOURCE) {
		size_t length = tally->count < PIECE_BYTES ? (size_t)tally->count : PIECE_BYTES;
		tally->count -= (long long)length;
		tally->ending = tally->count == 0;
		evbuffer_add_reference(bufferevent_get_output(bev), piece, length, NULL, NULL);
	}
}

static void on_event(struct bufferevent *bev, short what, void *context)
{
	struct tally *tally = context;
	if (behaviour == SINK && (what & BEV_EVENT_EOF)) {
		tally->ending = 1;
		evbuffer_add_printf(bufferevent_get_output(bev), "%lld", tally->count);
	} else {
		drop(bev, tally);
	}
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t descriptor, struct sockaddr *address, int length,
	void *base)
{
	(void)listener, (void)address, (void)length;
	struct bufferevent *bev = bufferevent_socket_new(base, descriptor, BEV_OPT_CLOSE_ON_FREE);
	struct tally *tally = calloc(1, sizeof *tally);
	if (bev == NULL || tally == NULL) give_up("a connection");
	send_without_delay(descriptor);
	tally->count = behaviour == SOURCE ? source_bytes : 0;
	bufferevent_setcb(bev, on_read, on_write, on_event, tally);
	bufferevent_enable(bev, EV_READ | EV_WRITE);
	if (behaviour == SOURCE) on_write(bev, tally);
}

int main(int count, char **words)
{
	behaviour = behaviour_named(count > 1 ? words[1] : NULL);
	source_bytes = count > 2 ? atoll(words[2]) : 0;
	int listener = listen_somewhere();
	struct event_base *base = event_base_new();
	if (base == NULL) give_up("event_base_new");
	if (evconnlistener_new(base, on_accept, base, LEV_OPT_CLOSE_ON_FREE, 0, listener) == NULL) give_up("a listener");
	announce(listener);
	event_base_dispatch(base);
	return 0;
}
