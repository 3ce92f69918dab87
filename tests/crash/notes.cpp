// SPDX-License-Identifier: Apache-2.0
#include "tests/crash/notes.hpp"

#include <sys/mman.h>

#include <cstring>
#include <new>
#include <stdexcept>

namespace entente::crash {

struct Notes::Page {
  static constexpr std::size_t text_bytes = std::size_t{1} << 20U;
  std::atomic<std::size_t> size{0};
  char text[text_bytes];
};

Notes::Notes() {
  void* memory =
      ::mmap(nullptr, sizeof(Page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw std::runtime_error("no memory to share with a story");
  page_ = ::new (memory) Page;
}

Notes::~Notes() {
  ::munmap(page_, sizeof(Page));
}

void Notes::clear() {
  page_->size = 0;
}

void Notes::keep_promises() {
  const std::vector<std::string> kept = promises();
  clear();
  for (const std::string& line : kept) promise(line);
}

// A line is there when the size says so: who is killed while writing it has promised nothing.
void Notes::add(char kind, std::string_view line) {
  const std::size_t size = page_->size;
  if (line.size() + 2 > Page::text_bytes - size) throw std::runtime_error("too many notes");
  page_->text[size] = kind;
  std::memcpy(page_->text + size + 1, line.data(), line.size());
  page_->text[size + 1 + line.size()] = '\n';
  page_->size = size + line.size() + 2;
}

std::vector<std::string> Notes::lines(char kind) const {
  std::vector<std::string> found;
  std::string_view text(page_->text, page_->size);
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    if (text[0] == kind) found.emplace_back(text.substr(1, end - 1));
    text.remove_prefix(end + 1);
  }
  return found;
}

}  // namespace entente::crash
