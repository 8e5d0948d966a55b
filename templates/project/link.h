/* The device's end of the line: requests come in, each gets one reply.
 *
 * A frame on the wire is COBS(body) followed by a zero byte. The body, all numbers little-endian:
 *
 *     version u8, command u8, session u32, sequence u16, payload, crc32 u32 over everything before it
 *
 * The host numbers its requests 1, 2, 3 ... within a session, which a HELLO (number 0) opens; one is in flight at a
 * time. A reply repeats command + 0x80, session and sequence; its payload begins with a status. A request that comes
 * twice is answered twice and carried out once. A damaged frame is answered by LINK_DAMAGED, and the host repeats it.
 */
#ifndef LINK_H
#define LINK_H

#include <stdint.h>

#define LINK_VERSION 3u

#define LINK_HELLO 1u
#define LINK_WRITE 2u
#define LINK_READ 3u
#define LINK_RUN 4u
#define LINK_CONTINUE 5u
#define LINK_READ_STEP 6u
#define LINK_READ_TICKS 7u
#define LINK_BATCH 8u
#define LINK_EXIT 9u
#define LINK_REPLY 0x80u
#define LINK_DAMAGED 0xFEu

#define STATUS_OK 0u
#define STATUS_UNKNOWN 1u    /* no such command, or not now */
#define STATUS_RANGE 2u      /* a port, offset or length that does not exist */
#define STATUS_VERSION 3u    /* the host speaks another version of the protocol */
#define STATUS_NO_SESSION 4u /* the device was restarted, or another host took over */
#define STATUS_FAULT 5u      /* the processor stopped with a fault; its registers follow */
#define STATUS_INIT 6u       /* the network refused to be initialized; its code follows */
#define STATUS_RUN 7u        /* the network reported an error; its code follows */
#define STATUS_FILE 8u       /* a file of the host could not be read or written */
#define STATUS_STACK 9u      /* the network used up the stack; its results mean nothing */

typedef struct {
    uint8_t command;
    const uint8_t *payload;
    uint32_t nbytes;
} Request;

/* Opens the line, and sends one delimiter as a sign that requests can come. */
void link_open(void);

/* Waits for the next request that is to be carried out. The payload stays valid until the next call. */
void link_next(Request *request);

/* Where the data of a reply is put: MAX_PAYLOAD bytes. */
extern uint8_t *const link_data;

/* Answers the request that link_next returned last. */
void link_reply(uint8_t status, uint32_t nbytes);

uint32_t get_u16(const uint8_t *bytes);
uint32_t get_u32(const uint8_t *bytes);
void put_u32(uint8_t *bytes, uint32_t value);

#endif
