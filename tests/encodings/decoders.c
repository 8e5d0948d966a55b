/* Runs a decoder on cases from stdin, each array and each destination an allocation of its own, and writes what came out.
 * decoder.h defines the functions and DECODER_START(state, arrays, counts). A case is: how far `to` is from an aligned
 * address; the number of calls; of each array its size in bytes, its count and its bytes; the count of each call. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "decoder.h"

static int read_words(int32_t *to, size_t count) { return fread(to, 4, count, stdin) == count; }

int main(void)
{
    int32_t head[2];
    while (read_words(head, 2)) { /* skew, calls */
        void *arrays[DECODER_ARRAYS];
        int32_t counts[DECODER_ARRAYS], skew = head[0];
        DECODER_STATE state;
        for (int k = 0; k < DECODER_ARRAYS; k++) {
            int32_t sizes[2];
            if (!read_words(sizes, 2))
                return 2;
            arrays[k] = malloc((size_t)sizes[0]);
            counts[k] = sizes[1];
            if (fread(arrays[k], 1, (size_t)sizes[0], stdin) != (size_t)sizes[0])
                return 3;
        }
        memset(&state, 0xA5, sizeof state);
        DECODER_START(&state, arrays, counts);
        int32_t total = 0, *calls = malloc(4u * (size_t)head[1] + 4u);
        if (!read_words(calls, (size_t)head[1]))
            return 4;
        for (int k = 0; k < head[1]; k++)
            total += calls[k];
        int8_t *block = malloc((size_t)(total + skew)), *to = block + skew;
        memset(block, 0x5A, (size_t)(total + skew));
        for (int k = 0; k < head[1]; to += calls[k], k++)
            DECODER_NEXT(&state, to, calls[k]);
        fwrite(block + skew, 1, (size_t)total, stdout);
        free(block);
        free(calls);
        for (int k = 0; k < DECODER_ARRAYS; k++)
            free(arrays[k]);
    }
    return 0;
}
