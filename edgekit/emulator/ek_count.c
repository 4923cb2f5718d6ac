/* A plugin for QEMU that counts the guest's instructions in each step of each run of a model.
 *
 * Nothing in the firmware is changed for it. From the image's symbol table it is told where four
 * kinds of code lie (hexadecimal; a range is BEGIN-END, without the end):
 *
 *   run=RANGE      the generated function that calls one kernel per step; a run starts at its first
 * instruction kernel=ENTRY   a kernel; given once for each caller=RANGE   the function that calls
 * it; a run ends at the caller's next instruction skip=RANGE     interrupts and exceptions: not
 * counted; given once for each out=FILE       gets one line for each run: the instructions of its
 * steps, separated by blanks
 *
 * A step lasts from the entry of its kernel to the entry of the next one: the kernel, what it
 * calls, and the loading of the next one's arguments. The first step begins with the run and the
 * last one ends with it, so that the steps' sum is the whole run.
 *
 * QEMU translates and executes blocks of instructions that it enters at the top and leaves at the
 * end: only a fault leaves one elsewhere, and ends the firmware. So the sum of the sizes of the
 * executed blocks is exact. QEMU 7.2 is packaged without a header for plugins: what is used of its
 * interface is declared here.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPORT __attribute__((visibility("default")))

typedef uint64_t plugin_id;
typedef struct qemu_plugin_tb block;
typedef void (*on_block)(unsigned int cpu, void *data);
enum { REGISTERS_NOT_USED = 0 };

void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id id, void (*call)(plugin_id id, block *tb));
void qemu_plugin_register_vcpu_tb_exec_cb(block *tb, on_block call, int registers, void *data);
void qemu_plugin_register_atexit_cb(plugin_id id, void (*call)(plugin_id id, void *data),
                                    void *data);
size_t qemu_plugin_tb_n_insns(const block *tb);
uint64_t qemu_plugin_tb_vaddr(const block *tb);

/* The version of the interface; QEMU refuses a plugin that it is too old or too new for. */
EXPORT extern int qemu_plugin_version;
int qemu_plugin_version = EK_PLUGIN_API;

EXPORT int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments);

enum { MAX_RANGES = 512 };

typedef struct {
    uint64_t begin;
    uint64_t end;
} range;

typedef struct {
    range items[MAX_RANGES];
    size_t count;
} ranges;

static struct {
    range run;
    range caller;
    ranges kernels;
    ranges skipped;
    FILE *out;
    enum { IDLE, BEFORE_KERNELS, IN_KERNEL, BETWEEN_KERNELS } state;
    uint64_t counted; /* in this step */
} plugin;

static bool is_in(range where, uint64_t address) {
    return where.begin <= address && address < where.end;
}

static bool is_in_any(const ranges *where, uint64_t address) {
    for (size_t i = 0; i < where->count; i++) {
        if (is_in(where->items[i], address)) {
            return true;
        }
    }
    return false;
}

static void add(void *instructions) {
    if (plugin.state != IDLE) {
        plugin.counted += (uintptr_t)instructions;
    }
}

static void write_step(const char *end) {
    fprintf(plugin.out, "%" PRIu64 "%s", plugin.counted, end);
    plugin.counted = 0;
}

static void on_start(unsigned int cpu, void *data) {
    (void)cpu;
    if (plugin.state == IDLE) {
        plugin.state = BEFORE_KERNELS;
        plugin.counted = 0;
    }
    add(data);
}

static void on_run(unsigned int cpu, void *data) {
    (void)cpu;
    if (plugin.state == IN_KERNEL) {
        plugin.state = BETWEEN_KERNELS;
    }
    add(data);
}

static void on_kernel(unsigned int cpu, void *data) {
    (void)cpu;
    if (plugin.state == BETWEEN_KERNELS) {
        write_step(" ");
    }
    if (plugin.state != IDLE) {
        plugin.state = IN_KERNEL;
    }
    add(data);
}

static void on_caller(unsigned int cpu, void *data) {
    (void)cpu;
    (void)data;
    if (plugin.state != IDLE) {
        write_step("\n");
        plugin.state = IDLE;
    }
}

static void on_other(unsigned int cpu, void *data) {
    (void)cpu;
    add(data);
}

static void on_translation(plugin_id id, block *tb) {
    (void)id;
    const uint64_t address = qemu_plugin_tb_vaddr(tb);
    on_block call = on_other;
    if (is_in_any(&plugin.skipped, address)) {
        return;
    }
    if (address == plugin.run.begin) {
        call = on_start;
    } else if (is_in(plugin.run, address)) {
        call = on_run;
    } else if (is_in(plugin.caller, address)) {
        call = on_caller;
    } else if (is_in_any(&plugin.kernels, address)) {
        call = on_kernel;
    }
    void *instructions = (void *)(uintptr_t)qemu_plugin_tb_n_insns(tb);
    qemu_plugin_register_vcpu_tb_exec_cb(tb, call, REGISTERS_NOT_USED, instructions);
}

static void on_exit(plugin_id id, void *data) {
    (void)id;
    (void)data;
    fclose(plugin.out);
}

/* Returns whether the whole text is BEGIN-END, or one address, which stands for itself alone. */
static bool read_range(const char *text, range *found) {
    char *end = NULL;
    found->begin = strtoull(text, &end, 16);
    found->end = found->begin + 1u;
    if (end == text) {
        return false;
    }
    if (*end == '-') {
        text = end + 1;
        found->end = strtoull(text, &end, 16);
    }
    return end != text && *end == '\0' && found->begin < found->end;
}

static bool read_one_of(const char *text, ranges *found) {
    return found->count < MAX_RANGES && read_range(text, &found->items[found->count++]);
}

static bool read_argument(const char *text) {
    const char *const equals = strchr(text, '=');
    const char *const value = equals == NULL ? "" : equals + 1;
    if (strncmp(text, "out=", 4) == 0) {
        plugin.out = fopen(value, "w");
        return plugin.out != NULL;
    }
    return (strncmp(text, "run=", 4) == 0 && read_range(value, &plugin.run)) ||
           (strncmp(text, "caller=", 7) == 0 && read_range(value, &plugin.caller)) ||
           (strncmp(text, "kernel=", 7) == 0 && read_one_of(value, &plugin.kernels)) ||
           (strncmp(text, "skip=", 5) == 0 && read_one_of(value, &plugin.skipped));
}

int qemu_plugin_install(plugin_id id, const void *info, int count, char **arguments) {
    (void)info;
    for (int i = 0; i < count; i++) {
        if (!read_argument(arguments[i])) {
            fprintf(stderr, "ek_count: wrong argument '%s'\n", arguments[i]);
            return -1;
        }
    }
    if (plugin.out == NULL || plugin.run.end == 0 || plugin.caller.end == 0) {
        fputs("ek_count: out, run and caller must be given\n", stderr);
        return -1;
    }
    qemu_plugin_register_vcpu_tb_trans_cb(id, on_translation);
    qemu_plugin_register_atexit_cb(id, on_exit, NULL);
    return 0;
}
