#include "link.h"

#include "uart.h"

#define HEADER_NBYTES 8u
#define STATUS_NBYTES 1u
#define CRC_NBYTES 4u
/* A request or reply may carry MAX_PAYLOAD bytes of data beside its own few numbers. */
#define BODY_NBYTES (HEADER_NBYTES + STATUS_NBYTES + 16u + MAX_PAYLOAD + CRC_NBYTES)
#define WIRE_NBYTES (BODY_NBYTES + BODY_NBYTES / 254u + 1u)
#define COBS_BLOCK 254u

#if WIRE_NBYTES + 2u > RING_NBYTES
#error "the ring of received bytes does not hold a frame"
#endif

static uint8_t received[WIRE_NBYTES];
static uint8_t reply[BODY_NBYTES];
static uint32_t reply_nbytes;
static uint8_t current_command;
static uint32_t session;  /* 0 = none */
static uint32_t sequence; /* of the request that is or was carried out last */

uint8_t *const link_data = reply + HEADER_NBYTES + STATUS_NBYTES;

uint32_t get_u16(const uint8_t *bytes) { return (uint32_t)bytes[0] | ((uint32_t)bytes[1] << 8); }

uint32_t get_u32(const uint8_t *bytes) { return get_u16(bytes) | (get_u16(bytes + 2) << 16); }

static void put_u16(uint8_t *bytes, uint32_t value) {
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
}

void put_u32(uint8_t *bytes, uint32_t value) {
    put_u16(bytes, value);
    put_u16(bytes + 2, value >> 16);
}

/* CRC-32 as in Ethernet and zlib, four bits at a time: the table of 256 entries would cost 1 KB of flash. */
static uint32_t crc32(const uint8_t *bytes, uint32_t nbytes) {
    static const uint32_t table[16] = {
        0x00000000u, 0x1DB71064u, 0x3B6E20C8u, 0x26D930ACu, 0x76DC4190u, 0x6B6B51F4u, 0x4DB26158u, 0x5005713Cu,
        0xEDB88320u, 0xF00F9344u, 0xD6D6A3E8u, 0xCB61B38Cu, 0x9B64C2B0u, 0x86D3D2D4u, 0xA00AE278u, 0xBDBDF21Cu,
    };
    uint32_t crc = 0xFFFFFFFFu;
    while (nbytes-- > 0u) {
        crc ^= *bytes++;
        crc = (crc >> 4) ^ table[crc & 15u];
        crc = (crc >> 4) ^ table[crc & 15u];
    }
    return ~crc;
}

/* Sends COBS(body) and the delimiter. */
static void send(const uint8_t *body, uint32_t nbytes) {
    uint32_t start = 0u;
    uint32_t length;
    do {
        length = 0u;
        while (start + length < nbytes && body[start + length] != 0u && length < COBS_BLOCK) {
            length++;
        }
        uart_send((uint8_t)(length + 1u));
        for (uint32_t i = 0u; i < length; i++) {
            uart_send(body[start + i]);
        }
        start += length;
        if (length < COBS_BLOCK) {
            start++; /* the zero that the block stands for, or the one behind the end */
        }
    } while (start <= nbytes);
    uart_send(0u);
}

/* Undoes COBS in place; the body's length, or 0 when the bytes are not COBS. */
static uint32_t uncobs(uint8_t *bytes, uint32_t nbytes) {
    uint32_t from = 0u;
    uint32_t to = 0u;
    while (from < nbytes) {
        uint32_t code = bytes[from++];
        if (from + code - 1u > nbytes) {
            return 0u;
        }
        for (uint32_t i = 1u; i < code; i++) {
            bytes[to++] = bytes[from++];
        }
        if (code <= COBS_BLOCK && from < nbytes) {
            bytes[to++] = 0u;
        }
    }
    return to;
}

/* Collects bytes up to the delimiter; their number, or more than the buffer holds when the frame is too long. */
static uint32_t receive(void) {
    uint32_t nbytes = 0u;
    for (;;) {
        int byte = uart_receive();
        if (byte < 0) {
            uart_wait();
            continue;
        }
        if (byte == 0) {
            return nbytes;
        }
        if (nbytes < WIRE_NBYTES) {
            received[nbytes] = (uint8_t)byte;
            nbytes++;
        } else {
            nbytes = WIRE_NBYTES + 1u;
        }
    }
}

static int is_intact(uint32_t nbytes) {
    if (nbytes < HEADER_NBYTES + CRC_NBYTES) {
        return 0;
    }
    return crc32(received, nbytes - CRC_NBYTES) == get_u32(received + nbytes - CRC_NBYTES);
}

static void seal(uint8_t *body, uint8_t command, uint32_t for_session, uint32_t for_sequence, uint32_t nbytes) {
    body[0] = LINK_VERSION;
    body[1] = command;
    put_u32(body + 2, for_session);
    put_u16(body + 6, for_sequence);
    put_u32(body + nbytes - CRC_NBYTES, crc32(body, nbytes - CRC_NBYTES));
}

static void report_damage(void) {
    uint8_t body[HEADER_NBYTES + CRC_NBYTES];
    seal(body, LINK_DAMAGED, 0u, 0u, sizeof body);
    send(body, sizeof body);
}

/* Answers the received frame without touching the stored reply. */
static void refuse(uint8_t status) {
    uint8_t body[HEADER_NBYTES + STATUS_NBYTES + CRC_NBYTES];
    body[HEADER_NBYTES] = status;
    seal(body, (uint8_t)(received[1] | LINK_REPLY), get_u32(received + 2), get_u16(received + 6), sizeof body);
    send(body, sizeof body);
}

void link_open(void) {
    uart_init();
    uart_send(0u);
}

void link_reply(uint8_t status, uint32_t nbytes) {
    reply[HEADER_NBYTES] = status;
    reply_nbytes = HEADER_NBYTES + STATUS_NBYTES + nbytes + CRC_NBYTES;
    seal(reply, (uint8_t)(current_command | LINK_REPLY), session, sequence, reply_nbytes);
    send(reply, reply_nbytes);
}

/* Whether the intact frame is new. A repeated one gets the stored reply again, an older one nothing. */
static int is_new(void) {
    uint32_t its_session = get_u32(received + 2);
    uint32_t its_sequence = get_u16(received + 6);
    if (received[0] != LINK_VERSION) {
        refuse(STATUS_VERSION);
        return 0;
    }
    if (received[1] == LINK_HELLO && its_session != session) {
        session = its_session;
        sequence = 0u;
        return 1;
    }
    if (its_session != session || session == 0u) {
        refuse(STATUS_NO_SESSION);
        return 0;
    }
    if (its_sequence == sequence && reply_nbytes > 0u) {
        send(reply, reply_nbytes);
    }
    if (its_sequence != ((sequence + 1u) & 0xFFFFu)) {
        return 0;
    }
    sequence = its_sequence;
    return 1;
}

void link_next(Request *request) {
    for (;;) {
        uint32_t wire_nbytes = receive();
        if (wire_nbytes == 0u) {
            continue;
        }
        uint32_t nbytes = wire_nbytes > WIRE_NBYTES ? 0u : uncobs(received, wire_nbytes);
        if (!is_intact(nbytes)) {
            report_damage();
        } else if (is_new()) {
            reply_nbytes = 0u;
            current_command = received[1];
            request->command = current_command;
            request->payload = received + HEADER_NBYTES;
            request->nbytes = nbytes - HEADER_NBYTES - CRC_NBYTES;
            return;
        }
    }
}
