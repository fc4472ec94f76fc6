/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* kvm-guest: the guest that proves KVM, as a firmware of 64 KiB.  It does what a kernel does: it
 * enters long mode with paging, uses the vector registers that its processor has, and takes timer
 * interrupts of the local APIC and of the PIT.  Then it has its watchdog expire, which pauses it; see
 * kvm-proof.c.  When a processor exception shows that something is wrong, it resets the machine.
 *
 * The firmware lies at BASE, below 4 GiB.  Its code in long mode runs in a copy at COPY, in RAM. */
    .section .note.GNU-stack, "", %progbits
#if defined(__x86_64__)

#define BASE      0xffff0000
#define SIZE      0x10000
#define COPY      0x100000
#define TABLES    0x1000 /* PML4, PDPT, and four page directories: 6 pages */
#define IDT       0x8000
#define STACK     0x20000
#define APIC      0xfee00000
#define WATCHDOG  0x443 /* of the model ib700 */
#define NOW       0x0f  /* it expires after 0 s */
#define LAPIC_IRQ 0x40
#define PIT_IRQ   0x20
#define CODE64    0x18
#define DATA      0x10
#define OFFSET(label) ((label) - viommu_kvm_guest)

    .section .rodata.viommu_kvm_guest, "a"
    .balign 16
    .globl viommu_kvm_guest, viommu_kvm_guest_end
    .hidden viommu_kvm_guest, viommu_kvm_guest_end
viommu_kvm_guest:

/* --- Real mode, from the reset vector below --- */

    .code16
real_mode:
    cli
    lgdtl %cs:OFFSET(gdt_pointer)
    movl $0x11, %eax /* PE, ET; caches on */
    movl %eax, %cr0
    ljmpl $0x08, $(BASE + OFFSET(protected_mode))

    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9b000000ffff /* 0x08: 32-bit code */
    .quad 0x00cf93000000ffff /* 0x10: data */
    .quad 0x00af9b000000ffff /* 0x18: 64-bit code */
gdt_pointer:
    .word . - gdt - 1
    .long BASE + OFFSET(gdt)

/* --- Protected mode: the page tables, which map 4 GiB as they are --- */

    .code32
protected_mode:
    movw $DATA, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movl $STACK, %esp
    cld
    movl $TABLES, %edi
    xorl %eax, %eax
    movl $(6 * 0x1000 / 4), %ecx
    rep stosl
    movl $(TABLES + 0x1003), TABLES
    movl $(TABLES + 0x2003), TABLES + 0x1000
    movl $(TABLES + 0x3003), TABLES + 0x1008
    movl $(TABLES + 0x4003), TABLES + 0x1010
    movl $(TABLES + 0x5003), TABLES + 0x1018
    movl $(TABLES + 0x2000), %edi
    movl $0x83, %eax /* present, writable, 2 MiB */
1:  movl %eax, (%edi)
    addl $8, %edi
    addl $0x200000, %eax
    jnc 1b

    movl $BASE, %esi
    movl $COPY, %edi
    movl $(SIZE / 4), %ecx
    rep movsl

    movl $0x620, %eax /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $TABLES, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx /* EFER */
    rdmsr
    orl $0x100, %eax /* LME */
    wrmsr
    movl $0x80010033, %eax /* PG, WP, NE, ET, MP, PE */
    movl %eax, %cr0
    ljmpl $CODE64, $(COPY + OFFSET(long_mode))

/* --- Long mode --- */

    .code64
long_mode:
    movl $IDT, %edi
    movl $256, %ecx
    leaq fault(%rip), %rax
1:  call set_gate
    loop 1b
    leaq on_timer(%rip), %rax
    movl $(IDT + 16 * LAPIC_IRQ), %edi
    call set_gate
    movl $(IDT + 16 * PIT_IRQ), %edi
    call set_gate
    lidt idt_pointer(%rip)

    /* The vector registers, which KVM and its host must switch. */
    fninit
    movl $0x01020304, %eax
    movd %eax, %xmm0
    pshufd $0, %xmm0, %xmm0
    paddd %xmm0, %xmm0
    movdqu %xmm0, TABLES - 0x100
    cmpl $0x02040608, TABLES - 0x100 + 12
    jne fault
    movl $1, %eax
    cpuid
    andl $0x14000000, %ecx /* XSAVE, AVX */
    cmpl $0x14000000, %ecx
    jne timer
    movq %cr4, %rax
    orl $0x40000, %eax /* OSXSAVE */
    movq %rax, %cr4
    xorl %ecx, %ecx
    xgetbv
    orl $7, %eax
    xsetbv
    vinsertf128 $1, %xmm0, %ymm0, %ymm1
    vorps %ymm1, %ymm0, %ymm1
    vmovups %ymm1, TABLES - 0x100
    vzeroupper
    cmpl $0x02040608, TABLES - 0x100 + 28
    jne fault

timer:
    /* The PIT runs since the reset.  Without this, a slow host would have its interrupt before the
     * PIC is told the vectors. */
    movb $0x11, %al /* the PIC begins at vector 0x20 */
    outb %al, $0x20
    movb $PIT_IRQ, %al
    outb %al, $0x21
    movb $4, %al
    outb %al, $0x21
    movb $1, %al
    outb %al, $0x21
    movb $0xff, %al /* and serves nothing yet, nor does the second */
    outb %al, $0x21
    outb %al, $0xa1

    /* Each of the two timers interrupts. */
    movl $APIC, %ebx
    movl $0x1ff, 0xf0(%rbx)      /* the local APIC is on */
    movl $0x700, 0x350(%rbx)     /* LINT0: interrupts of the PIC */
    movl $0xb, 0x3e0(%rbx)       /* its timer is not divided */
    movl $LAPIC_IRQ, 0x320(%rbx) /* and interrupts once */
    xorl %ebp, %ebp
    movl $100000, 0x380(%rbx)
    call wait_for_timer
    movl $0, 0xb0(%rbx) /* end of interrupt */

    movb $0x30, %al /* the PIT counts down once */
    outb %al, $0x43
    xorl %ebp, %ebp
    movb $0, %al
    outb %al, $0x40
    movb $4, %al
    outb %al, $0x40
    movb $0xfe, %al /* the PIC serves IRQ 0 only */
    outb %al, $0x21
    call wait_for_timer

    /* Everything was right. */
    movw $WATCHDOG, %dx
    movb $NOW, %al
    outb %al, %dx
    jmp stay

wait_for_timer:
    sti
    hlt
    cli
    testl %ebp, %ebp
    jz wait_for_timer
    ret

on_timer:
    incl %ebp
    iretq

/* Writes the gate at EDI to the handler at RAX; EDI is then at the next one. */
set_gate:
    movw %ax, (%rdi)
    movl $(0x8e000000 | CODE64), 2(%rdi)
    movb $0, 4(%rdi)
    movb $0x8e, 5(%rdi)
    movq %rax, %rdx
    shrq $16, %rdx
    movw %dx, 6(%rdi)
    movq $0, 8(%rdi)
    addl $16, %edi
    ret

    /* The keyboard controller resets the machine. */
fault:
    movb $0xfe, %al
    outb %al, $0x64
stay:
    cli
    hlt
    jmp stay

idt_pointer:
    .word 16 * 256 - 1
    .quad IDT

/* --- The reset vector --- */

    .org viommu_kvm_guest + SIZE - 16, 0
    .code16
    /* "jmp real_mode", whose 16 bits wrap around; clang's assembler refuses that. */
    .byte 0xe9
    .word (real_mode - . - 2) & 0xffff
    .org viommu_kvm_guest + SIZE, 0
viommu_kvm_guest_end:
#else
    .section .rodata
    .globl viommu_kvm_guest, viommu_kvm_guest_end
viommu_kvm_guest:
viommu_kvm_guest_end:
#endif
