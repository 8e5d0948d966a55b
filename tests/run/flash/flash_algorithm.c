/* A flash algorithm as CMSIS defines them, for an emulated board whose flash is memory. Like flash, it lets a bit go to
 * one by erasing only. Position independent, without data; its functions are found by name. */
typedef unsigned int u32;

#define SECTOR_WORDS 1024u
#define OK 0
#define NOT_ERASED 1

__attribute__((used)) int Init(u32 address, u32 clock, u32 function) {
    (void)address;
    (void)clock;
    (void)function;
    return OK;
}

__attribute__((used)) int UnInit(u32 function) {
    (void)function;
    return OK;
}

__attribute__((used)) int EraseSector(u32 address) {
    volatile u32 *word = (volatile u32 *)address;
    for (u32 i = 0; i < SECTOR_WORDS; i++) {
        word[i] = 0xFFFFFFFFu;
    }
    return OK;
}

__attribute__((used)) int ProgramPage(u32 address, u32 nbytes, const u32 *data) {
    volatile u32 *word = (volatile u32 *)address;
    for (u32 i = 0; i < (nbytes + 3u) / 4u; i++) {
        if ((word[i] & data[i]) != data[i]) {
            return NOT_ERASED;
        }
        word[i] = data[i];
    }
    return OK;
}
