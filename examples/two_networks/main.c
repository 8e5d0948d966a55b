/* Two networks that take turns in one arena, which is as large as the larger one needs. Returns 0 when all that they
 * answer is what their reference.npz says. */
#include <stdio.h>
#include <string.h>

#include "binary.h"
#include "digits.h"
#include "samples.h"

#define LARGER(a, b) ((a) > (b) ? (a) : (b))

static uint64_t arena[(LARGER(DIGITS_ARENA_SIZE, BINARY_ARENA_SIZE) + 7) / 8];

/* Prints the scores, and where they first differ from the expected ones; 1 if they do. */
static int check(const char *network, int sample, const int8_t *scores, const int8_t *expected, int count)
{
    printf("%s %d:", network, sample);
    for (int i = 0; i < count; i++)
        printf(" %d", scores[i]);
    printf("\n");
    for (int i = 0; i < count; i++)
        if (scores[i] != expected[i]) {
            printf("DIFFERENT at scores[%d]: %d, expected %d\n", i, scores[i], expected[i]);
            return 1;
        }
    return 0;
}

int main(void)
{
    if (digits_init(arena, sizeof arena, NULL) != 0 || binary_init(arena, sizeof arena, NULL) != 0)
        return 1;
    printf("arena: %d bytes, for %d and %d\n", (int)sizeof arena, DIGITS_ARENA_SIZE, BINARY_ARENA_SIZE);

    /* Inputs and outputs are in the arena too: all of a network's come between two runs of the other. */
    int different = 0;
    for (int sample = 0; sample < SAMPLES; sample++) {
        memcpy(digits_image(), digits_images[sample], DIGITS_image_SIZE);
        if (digits_run() != 0)
            return 1;
        different += check("digits", sample, digits_scores(), digits_expected[sample], DIGITS_scores_SIZE);

        memcpy(binary_image(), binary_images[sample], BINARY_image_SIZE);
        if (binary_run() != 0)
            return 1;
        different += check("binary", sample, binary_scores(), binary_expected[sample], BINARY_scores_SIZE);
    }
    if (different) {
        printf("DIFFERENT: %d of %d answers\n", different, 2 * SAMPLES);
        return 1;
    }
    printf("equal: all %d answers\n", 2 * SAMPLES);
    return 0;
}
