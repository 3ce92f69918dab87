# SPDX-License-Identifier: Apache-2.0
#
# Compiler, warnings, sanitizers, linker, cache: the same for every room.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)

set(ENTENTE_SANITIZER "" CACHE STRING "empty, address (with undefined) or thread")

add_compile_options(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  # False positive of GCC 12 on the frames of coroutines when it inlines only one of their new and delete.
  add_compile_options(-Wno-mismatched-new-delete)
  # False positives of GCC 12 on Result<void> under sanitizers, and on fences under ThreadSanitizer.
  add_compile_options($<$<BOOL:${ENTENTE_SANITIZER}>:-Wno-maybe-uninitialized> $<$<BOOL:${ENTENTE_SANITIZER}>:-Wno-tsan>)
endif()
add_compile_definitions(OPENSSL_API_COMPAT=30000 OPENSSL_NO_DEPRECATED BOOST_ASIO_NO_DEPRECATED)

if(ENTENTE_SANITIZER STREQUAL "address")
  add_compile_options(-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer)
  add_link_options(-fsanitize=address,undefined)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    add_compile_options(-fno-sanitize=function)
  endif()
elseif(ENTENTE_SANITIZER STREQUAL "thread")
  add_compile_options(-fsanitize=thread -fno-omit-frame-pointer)
  add_link_options(-fsanitize=thread)
  add_compile_definitions(ENTENTE_PARALLEL_STD_THREAD)
elseif(NOT ENTENTE_SANITIZER STREQUAL "")
  message(FATAL_ERROR "ENTENTE_SANITIZER is '${ENTENTE_SANITIZER}'; expected address, thread or nothing")
endif()

find_program(ENTENTE_CCACHE ccache)
if(ENTENTE_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ENTENTE_CCACHE})
endif()
find_program(ENTENTE_MOLD mold)
if(ENTENTE_MOLD)
  add_link_options(-fuse-ld=mold)
endif()
