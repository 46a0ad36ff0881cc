// A plugin for QEMU's user-mode emulation (TCG plugin API, version 1) that counts how often each instruction of the
// emulated program runs. With `out=FILE`, writes at the end one line per instruction that ran: count, address (hex),
// mnemonic, first operand, symbol. One-threaded programs only: the counters are plain additions inside of the
// translated code.
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// What is used of the API, as its documentation states it (docs/devel/tcg-plugins in QEMU); Debian has no header for
// it.
typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
enum { kInlineAdd64 = 0 };
typedef void (*translated_fn)(qemu_plugin_id_t id, struct qemu_plugin_tb* tb);
void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t id, translated_fn fn);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb* tb, int op, void* counter, uint64_t amount);
void qemu_plugin_register_atexit_cb(qemu_plugin_id_t id, void (*fn)(qemu_plugin_id_t id, void* user), void* user);
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb* tb);
struct qemu_plugin_insn* qemu_plugin_tb_get_insn(const struct qemu_plugin_tb* tb, size_t index);
uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn* insn);
char* qemu_plugin_insn_disas(const struct qemu_plugin_insn* insn);
const char* qemu_plugin_insn_symbol(const struct qemu_plugin_insn* insn);

#define EXPORT __attribute__((visibility("default")))
EXPORT int qemu_plugin_version = 1;

struct instruction {
  uint64_t address;
  char text[24];
  const char* symbol;
};

// A translated block; blocks that were translated again are listed again, and their counts add up.
struct block {
  struct block* next;
  uint64_t runs;
  size_t count;
  struct instruction instructions[];
};

static struct block* blocks;
static char out_path[4096];

// "fmla v1.4s, v2.4s, v3.s[0]" becomes "fmla v1.4s".
static void keep_start(char* to, size_t size, const char* disassembly) {
  size_t n = 0;
  for (const char* c = disassembly ? disassembly : "?"; *c && *c != ',' && n + 1 < size; ++c) {
    char plain = *c == '\t' ? ' ' : *c;
    if (plain == ' ' && n > 0 && to[n - 1] == ' ') continue;
    to[n++] = plain;
  }
  while (n > 0 && to[n - 1] == ' ') --n;
  to[n] = 0;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* tb) {
  (void)id;
  size_t count = qemu_plugin_tb_n_insns(tb);
  struct block* b = calloc(1, sizeof *b + count * sizeof b->instructions[0]);
  if (!b) abort();
  b->count = count;
  for (size_t i = 0; i < count; ++i) {
    struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(tb, i);
    char* disassembly = qemu_plugin_insn_disas(insn);
    b->instructions[i].address = qemu_plugin_insn_vaddr(insn);
    b->instructions[i].symbol = qemu_plugin_insn_symbol(insn);
    keep_start(b->instructions[i].text, sizeof b->instructions[i].text, disassembly);
    free(disassembly);
  }
  b->next = blocks;
  blocks = b;
  qemu_plugin_register_vcpu_tb_exec_inline(tb, kInlineAdd64, &b->runs, 1);
}

static void finish(qemu_plugin_id_t id, void* user) {
  (void)id;
  (void)user;
  FILE* out = fopen(out_path, "w");
  if (!out) {
    perror(out_path);
    return;
  }
  for (const struct block* b = blocks; b; b = b->next) {
    for (size_t i = 0; b->runs && i < b->count; ++i) {
      const struct instruction* n = &b->instructions[i];
      fprintf(out, "%" PRIu64 "\t%" PRIx64 "\t%s\t%s\n", b->runs, n->address, n->text,
              n->symbol && *n->symbol ? n->symbol : "?");
    }
  }
  if (fclose(out) != 0) perror(out_path);
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const void* info, int argc, char** argv) {
  (void)info;
  for (int i = 0; i < argc; ++i) {
    if (strncmp(argv[i], "out=", 4) == 0) snprintf(out_path, sizeof out_path, "%s", argv[i] + 4);
  }
  if (!out_path[0]) {
    fprintf(stderr, "the plugin wants out=FILE\n");
    return 1;
  }
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_atexit_cb(id, finish, NULL);
  return 0;
}
