/* Two networks that take turns in one arena, which is as large as the larger one needs. */
#include <stdio.h>
#include <string.h>

#include "binary.h"
#include "digits.h"
#include "samples.h"

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

static uint64_t arena[(LARGER(DIGITS_ARENA_SIZE, BINARY_ARENA_SIZE) + 7) / 8];

static void print(const char *network, int sample, const int8_t *scores, int count)
{
    printf("%s %d:", network, sample);
    for (int i = 0; i < count; i++)
        printf(" %d", scores[i]);
    printf("\n");
}

int main(void)
{
    if (digits_init(arena, sizeof arena, NULL) != 0 || binary_init(arena, sizeof arena, NULL) != 0)
        return 1;
    printf("arena: %d bytes, for %d and %d\n", (int)sizeof arena, DIGITS_ARENA_SIZE, BINARY_ARENA_SIZE);

    /* Inputs and outputs are in the arena too: all of a network's come between two runs of the other. */
    for (int sample = 0; sample < SAMPLES; sample++) {
        memcpy(digits_image(), digits_images[sample], DIGITS_image_SIZE);
        if (digits_run() != 0)
            return 1;
        print("digits", sample, digits_scores(), DIGITS_scores_SIZE);

        memcpy(binary_image(), binary_images[sample], BINARY_image_SIZE);
        if (binary_run() != 0)
            return 1;
        print("binary", sample, binary_scores(), BINARY_scores_SIZE);
    }
    return 0;
}
