// What functions compiled with -fsplit-stack call when their stack pointer is below the limit (segment.h). The
// convention is the compiler's: GCC Internals and the comments of GCC's i386.cc describe it
// (ix86_expand_split_stack_prologue); libgcc has an implementation of its own, whose segments have 16 KiB at least and
// which knows threads only. Being here, this one is what the linker takes.
//
//   function F:   cmp  %fs:0x70, %rsp        C calls F: its return address is on the stack, and arguments above it
//                 jb   more
//   body:         ...
//   more:         mov  $frame, %r10          bytes of F's frame
//                 mov  $arguments, %r11      bytes of its arguments on the stack
//                 call __morestack
//                 ret                        __morestack returns to here, and with this F to C
//                 jmp  body                  but first it calls this, on another segment
//
// F expects its stack arguments above its return address, or, with a variable number of them, at 24(%rbp). All
// registers that carry arguments or results are preserved.
//
// The frame of __morestack, on the segment that is left; %rbp is preserved by F, as by any function:
//   24(%rbp)  F's stack arguments
//   16(%rbp)  return address into C
//    8(%rbp)  return address into F; while F's body runs, into C: so who follows frame pointers finds C after F's body
//    0(%rbp)  C's frame pointer
//   -8(%rbp)  return address into F
//  -16(%rbp)  the limit of the segment that is left
//  -24, -32   %rax, %rdi
// To the unwinder it is a function that C called and that called F's body. An exception that passes puts the limit
// back.
#include "stacks/segment.h"

#if defined(__x86_64__)

	.text

// Called where F calls a function that was not compiled with -fsplit-stack: the linker (gold) puts it in the place of
// __morestack and of the comparison. If there is room for library code here, F's body goes on here.
	.globl	__morestack_non_split
	.hidden	__morestack_non_split
	.type	__morestack_non_split, @function
__morestack_non_split:
	.cfi_startproc
	.cfi_def_cfa_offset 16
	pushq	%rax
	.cfi_adjust_cfa_offset 8
	leaq	-GYRE_SEGMENT_LIBRARY(%rsp), %rax
	subq	%r10, %rax
	cmpq	%fs:0x70, %rax
	movq	8(%rsp), %rax
	jb	2f
	cmpl	$0x185d8d4c, 1(%rax)	// lea 0x18(%rbp),%r11: where the arguments of a call with any number of them are
	je	1f
	incq	8(%rsp)			// over the ret
	popq	%rax
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_adjust_cfa_offset 8
1:
	leaq	24(%rsp), %r11		// what that instruction would have found
	addq	$5, 8(%rsp)		// over the ret and over it
	popq	%rax
	.cfi_adjust_cfa_offset -8
	ret
	.cfi_adjust_cfa_offset 8
2:
	popq	%rax
	.cfi_adjust_cfa_offset -8
	addq	$GYRE_SEGMENT_LIBRARY, %r10
	jmp	__morestack
	.cfi_endproc
	.size	__morestack_non_split, .-__morestack_non_split

	.globl	__morestack
	.hidden	__morestack
	.type	__morestack, @function
__morestack:
.Lfunction:
	.cfi_startproc
	.cfi_personality 0x9b, DW.ref.__gcc_personality_v0
	.cfi_lsda 0x1b, .Ltable
	.cfi_def_cfa_offset 16
	pushq	%rbp
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbp, -24
	movq	%rsp, %rbp
	.cfi_def_cfa_register %rbp
	pushq	8(%rbp)
	pushq	%fs:0x70
	pushq	%rax
	pushq	%rdi
	movq	16(%rbp), %rax
	movq	%rax, 8(%rbp)

	movq	%fs:0x70, %rdi
	xorl	%eax, %eax
	btsq	%rdi, %rax		// the segment's size: only the lower six bits of %rdi count
	andq	$-64, %rdi
	movq	GYRE_SEGMENT_NEXT-GYRE_SEGMENT_SLACK(%rdi,%rax), %rdi
	testq	%rdi, %rdi
	jz	.Lsearch
	leaq	(%r10,%r11), %rax
	cmpq	GYRE_SEGMENT_ROOM(%rdi), %rax
	ja	.Lsearch
.Lenter:
	incq	GYRE_SEGMENT_ENTERED(%rdi)
	movq	GYRE_SEGMENT_LIMIT(%rdi), %rax
	movq	%rax, %fs:0x70
	movq	%rdi, %rsp
	testq	%r11, %r11
	jnz	.Larguments
.Lcall:
	movq	-8(%rbp), %r10
	incq	%r10			// over the ret
	movq	-24(%rbp), %rax
	movq	-32(%rbp), %rdi
.Lbegin:
	call	*%r10
.Lend:
	movq	-16(%rbp), %r11
	movq	%r11, %fs:0x70
	movq	-8(%rbp), %r10
	movq	%r10, 8(%rbp)
	movq	%rbp, %rsp
	.cfi_remember_state
	popq	%rbp
	.cfi_restore %rbp
	.cfi_def_cfa %rsp, 16
	ret
	.cfi_restore_state

.Larguments:
	leaq	15(%r11), %rax
	andq	$-16, %rax
	subq	%rax, %rsp
1:
	subq	$8, %r11
	movq	24(%rbp,%r11), %rax
	movq	%rax, (%rsp,%r11)
	jnz	1b
	jmp	.Lcall

// There is no next segment, or it is too small.
.Lsearch:
	movq	gyre_segment_scratch@gottpoff(%rip), %rax
	addq	%fs:0, %rax
	leaq	GYRE_SEGMENT_SCRATCH(%rax), %rsp
	pushq	%rsi
	pushq	%rdx
	pushq	%rcx
	pushq	%r8
	pushq	%r9
	pushq	%r11
	subq	$128, %rsp
	movups	%xmm0, (%rsp)
	movups	%xmm1, 16(%rsp)
	movups	%xmm2, 32(%rsp)
	movups	%xmm3, 48(%rsp)
	movups	%xmm4, 64(%rsp)
	movups	%xmm5, 80(%rsp)
	movups	%xmm6, 96(%rsp)
	movups	%xmm7, 112(%rsp)
	movq	%fs:0x70, %rdi
	leaq	(%r10,%r11), %rsi
	call	gyre_next_segment
	movups	(%rsp), %xmm0
	movups	16(%rsp), %xmm1
	movups	32(%rsp), %xmm2
	movups	48(%rsp), %xmm3
	movups	64(%rsp), %xmm4
	movups	80(%rsp), %xmm5
	movups	96(%rsp), %xmm6
	movups	112(%rsp), %xmm7
	addq	$128, %rsp
	popq	%r11
	popq	%r9
	popq	%r8
	popq	%rcx
	popq	%rdx
	popq	%rsi
	movq	%rax, %rdi
	testb	$1, %al
	jz	.Lenter
	// There is none: the address, but for that bit, is one whose fault says why.
	leaq	-32(%rbp), %rsp
	andq	$-2, %rax
	movb	$0, (%rax)
	ud2

// An exception, or a forced unwinding, passes: %rax is what it is about. The frames that it goes on to are on the
// segment that was left, where there may be no room for the unwinder; but on the segment that it comes from there is.
.Llanding:
	movq	-16(%rbp), %r11
	movq	%r11, %fs:0x70
	andq	$-16, %rsp
	movq	%rax, %rdi
	call	_Unwind_Resume@PLT
	ud2
	.cfi_endproc
	.size	__morestack, .-__morestack

	.section .gcc_except_table, "a", @progbits
	.p2align 2
.Ltable:
	.byte	0xff			// landing pads are relative to the function
	.byte	0xff			// no types
	.byte	0x01			// uleb128
	.uleb128 .Lcalls_end-.Lcalls
.Lcalls:
	.uleb128 .Lbegin-.Lfunction
	.uleb128 .Lend-.Lbegin
	.uleb128 .Llanding-.Lfunction
	.uleb128 0			// a cleanup
.Lcalls_end:

	.hidden	DW.ref.__gcc_personality_v0
	.weak	DW.ref.__gcc_personality_v0
	.section .data.rel.local.DW.ref.__gcc_personality_v0, "awG", @progbits, DW.ref.__gcc_personality_v0, comdat
	.p2align 3
	.type	DW.ref.__gcc_personality_v0, @object
	.size	DW.ref.__gcc_personality_v0, 8
DW.ref.__gcc_personality_v0:
	.quad	__gcc_personality_v0

#endif  // __x86_64__

	.section .note.GNU-stack, "", @progbits
// So that the linker leaves calls to __morestack alone, and calls from it as well.
	.section .note.GNU-split-stack, "", @progbits
	.section .note.GNU-no-split-stack, "", @progbits
