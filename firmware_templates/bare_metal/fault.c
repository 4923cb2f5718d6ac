/* The last words of firmware that cannot go on. */
#include "machine.h"

static char *copy_word(char *out, const char **text) {
    while (**text != '\0' && **text != ' ') {
        *out++ = *(*text)++;
    }
    while (**text == ' ') {
        (*text)++;
    }
    return out;
}

static char *hex(char *out, uint32_t value) {
    for (int shift = 28; shift >= 0; shift -= 4) {
        *out++ = "0123456789abcdef"[value >> shift & 15u];
    }
    return out;
}

_Noreturn void machine_fault(const char *title, const char *names, const uint32_t *values) {
    machine_print("fault: ");
    machine_print(title);
    machine_print("\n");
    for (size_t i = 0; *names != '\0'; i++) {
        char line[32] = "  "; /* a name of at most 12 letters */
        char *end = copy_word(line + 2, &names);
        *end++ = '=';
        end = hex(end, values[i]);
        *end++ = i % 4 == 3 || *names == '\0' ? '\n' : ' ';
        *end = '\0';
        machine_print(line);
    }
    machine_exit(MACHINE_EXIT_FAULT);
}
