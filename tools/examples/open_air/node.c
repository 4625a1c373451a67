/* A node of the open air in C, with nothing but POSIX: it scans, associates with the network it hears best, and prints its address.
 *
 *     cc -o node node.c && ./node 127.0.0.1 9000 0011223344556677
 *
 * The protocol is hil/radio/open_air/protocol.md. This is the place where a radio driver of firmware built for a host would sit:
 * send_frame() is its transmit call, next_event() its receive interrupt and its timer.
 */
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define NEVER UINT64_MAX
#define SCAN_US 138240   /* an active scan of duration 3 */
#define ANSWER_US 491520 /* macResponseWaitTime: 32 base superframes */

static int line, owed;
static uint64_t now, wake = NEVER;
static uint8_t eui[8], event[200], sequence;
static unsigned pan, parent, address = 0xFFFF;

static void fail(const char *why) {
    fprintf(stderr, "node: %s\n", why);
    exit(1);
}

static uint16_t fcs(const uint8_t *octets, int length) {
    uint16_t crc = 0;
    for (int i = 0; i < length; i++) {
        crc ^= octets[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0x8408 : crc >> 1;
    }
    return crc;
}

static void say(char kind, const uint8_t *body, int length) {
    uint8_t out[200] = {(uint8_t)(length + 1), 0, (uint8_t)kind};
    memcpy(out + 3, body, length);
    for (int at = 0, put; at < length + 3; at += put)
        if ((put = write(line, out + at, length + 3 - at)) <= 0)
            fail("the air has hung up");
}

static void take(uint8_t *into, int length) {
    for (int at = 0, got; at < length; at += got)
        if ((got = read(line, into + at, length - at)) <= 0)
            fail("the air has hung up");
}

static void send_frame(uint8_t channel, const uint8_t *frame, int length) {
    uint8_t body[130] = {channel};
    uint16_t check = fcs(frame, length);
    memcpy(body + 1, frame, length);
    body[1 + length] = check & 0xFF;
    body[2 + length] = check >> 8;
    say('T', body, length + 3);
}

/* Done with the last event; wait for the next. Its kind; body in event[] (from its 9th octet on), its length in *length. */
static char next_event(int *length) {
    uint8_t head[3];
    if (owed) {
        uint8_t due[8];
        for (int i = 0; i < 8; i++)
            due[i] = wake >> 8 * i;
        say('D', due, 8);
    }
    take(head, 3);
    *length = (head[0] | head[1] << 8) - 1;
    if (*length < 8 || *length > (int)sizeof event)
        fail("an event of a length that cannot be");
    take(event, *length);
    now = 0;
    for (int i = 7; i >= 0; i--)
        now = now << 8 | event[i];
    owed = 1;
    return head[2];
}

/* Where a frame goes: 1 if to this node. A frame for it that asks for an acknowledgement gets one. */
static int for_us(uint8_t channel, const uint8_t *frame, int length) {
    int mode = frame[1] >> 2 & 3;
    int ours = (mode == 3 && length >= 13 && !memcmp(frame + 5, eui, 8)) ||
               (mode == 2 && length >= 7 && address != 0xFFFF && (frame[5] | frame[6] << 8) == (int)address);
    if (ours && frame[0] & 0x20) {
        uint8_t ack[3] = {0x02, 0x00, frame[2]};
        send_frame(channel, ack, 3);
    }
    return ours;
}

/* The best beacon so far of a network that lets somebody in: a beacon with a short source, whose superframe permits association. */
static struct {
    uint8_t channel;
    int signal;
} best = {0, -200};

static void note_beacon(int length) {
    const uint8_t *heard = event + 11;
    if (length < 22 || (heard[0] & 7) != 0 || !(heard[8] & 0x80) || (int8_t)event[9] <= best.signal)
        return;
    best.channel = event[8];
    best.signal = (int8_t)event[9];
    pan = heard[3] | heard[4] << 8;
    parent = heard[5] | heard[6] << 8;
}

/* Send a frame and wait for its end: 1 if it was acknowledged. */
static int transmit(uint8_t channel, const uint8_t *frame, int length) {
    int acked = 0, got;
    send_frame(channel, frame, length);
    for (;;) {
        char kind = next_event(&got);
        const uint8_t *heard = event + 11;
        if (kind == 'S')
            return acked;
        if (kind == 'F' && got >= 16 && (heard[0] & 7) == 2 && heard[2] == frame[2])
            acked = 1;
        else if (kind == 'F')
            note_beacon(got);
    }
}

static void listen_on(uint8_t channel) { say('R', &channel, 1); }

static void scan(void) {
    int got;
    for (uint8_t channel = 11; channel <= 26; channel++) {
        uint8_t request[8] = {0x03, 0x08, ++sequence, 0xFF, 0xFF, 0xFF, 0xFF, 0x07};
        listen_on(channel);
        transmit(channel, request, sizeof request);
        for (wake = now + SCAN_US;;) {
            char kind = next_event(&got);
            if (kind == 'A' && now >= wake)
                break;
            if (kind == 'F')
                note_beacon(got);
        }
        wake = NEVER;
    }
}

static int associate(uint8_t channel) {
    uint8_t request[19] = {0x23, 0xC8, ++sequence, pan, pan >> 8, parent, parent >> 8, 0xFF, 0xFF};
    uint8_t poll[16] = {0x63, 0xC8, 0, pan, pan >> 8, parent, parent >> 8};
    int got;
    memcpy(request + 9, eui, 8);
    request[17] = 0x01; /* association request */
    request[18] = 0x8E; /* a router on the mains that is given an address */
    listen_on(channel);
    if (!transmit(channel, request, sizeof request))
        fail("nobody acknowledges the association request");
    for (wake = now + ANSWER_US; next_event(&got) != 'A' || now < wake;)
        ;
    wake = NEVER;
    poll[2] = ++sequence;
    memcpy(poll + 7, eui, 8);
    poll[15] = 0x04; /* data request */
    if (!transmit(channel, poll, sizeof poll))
        fail("nobody acknowledges the data request");
    for (wake = now + ANSWER_US;;) {
        char kind = next_event(&got);
        const uint8_t *heard = event + 11;
        int head = 13 + (heard[0] & 0x40 ? 0 : 2) + ((heard[1] >> 6 & 3) == 3 ? 8 : 2);
        if (kind == 'A' && now >= wake)
            return 0;
        if (kind == 'F' && for_us(channel, heard, got - 13) && (heard[0] & 7) == 3 && heard[head] == 0x02) {
            address = heard[head + 1] | heard[head + 2] << 8;
            return heard[head + 3] == 0;
        }
    }
}

int main(int count, char **words) {
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
    uint8_t join[9] = {1};
    int got;
    if (count != 4 || strlen(words[3]) != 16)
        fail("expected HOST PORT EUI64 (16 digits)");
    for (int i = 0; i < 8; i++) {
        char two[3] = {words[3][2 * i], words[3][2 * i + 1], 0};
        join[8 - i] = eui[7 - i] = strtoul(two, NULL, 16);
    }
    if (getaddrinfo(words[1], words[2], &hints, &found) || (line = socket(found->ai_family, SOCK_STREAM, 0)) < 0 ||
        connect(line, found->ai_addr, found->ai_addrlen))
        fail("no open air listens there");
    say('J', join, 9);
    if (next_event(&got) != 'W' || event[8] != 1)
        fail("the air is of another version");
    scan();
    if (!best.channel)
        fail("hears no network that lets it in");
    printf("hears PAN %04x on channel %u\n", pan, best.channel);
    if (!associate(best.channel))
        fail("was not let in");
    printf("associated as %04x after %llu us\n", address, (unsigned long long)now);
    fflush(stdout);
    return 0;
}
