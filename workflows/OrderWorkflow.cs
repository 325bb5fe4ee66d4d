using Dapr.Workflow;
using DaprPlatform.Contracts;
using DaprPlatform.Workflows.Activities;

namespace DaprPlatform.Workflows;

/// <summary>
/// Takes an accepted order to confirmed, or back to cancelled: validate, reserve stock, [approval], authorise payment, commit stock, confirm. The instance id
/// is the order's id. Each step has a compensation; those of the steps begun run in reverse, each by its own retry policy, all of them even if one fails.
/// </summary>
/// <remarks>
/// A cancellation wins over a step that is still being tried. The step may yet take effect: its compensation leaves a mark that refuses whatever comes late.
/// </remarks>
internal sealed class OrderWorkflow : Workflow<OrderPlaced, OrderResult>
{
    public override async Task<OrderResult> RunAsync(WorkflowContext context, OrderPlaced input)
    {
        var run = new Run(context, input.OrderId);
        var refusal = await run.ForwardAsync();
        return run.Ended ?? await Compensation.RunAsync(context, input.OrderId, refusal!, run.Begun);
    }

    /// <summary>The way forward of one order.</summary>
    private sealed class Run(WorkflowContext context, string orderId)
    {
        private readonly Task<CancelRequested> _cancel = context.WaitForExternalEventAsync<CancelRequested>(OrderEvents.Cancel);
        private readonly Stack<string> _begun = new();

        /// <summary>Compensations of the steps begun, the latest first.</summary>
        public IReadOnlyCollection<string> Begun => _begun;

        /// <summary>Set when nothing is left to do.</summary>
        public OrderResult? Ended { get; private set; }

        /// <summary>Why the order has to be given up, or null when it <see cref="Ended"/>.</summary>
        public async Task<string?> ForwardAsync()
        {
            try
            {
                return await StepsAsync();
            }
            catch (WorkflowTaskFailedException)
            {
                return CancelReasons.StepFailed;
            }
        }

        private async Task<string?> StepsAsync()
        {
            var validation = await StepAsync<Validation>(nameof(ValidateOrder), orderId);
            if (validation is null)
                return CancelReasons.CancelledByCustomer;
            if (validation.AlreadyDecided)
            {
                Ended = new OrderResult(OrderResult.AlreadyDecided);
                return null;
            }
            if (validation.Refusal is not null)
                return validation.Refusal;
            var needsApproval = validation.ApprovalTimeoutSeconds > 0;

            // A reservation that waits for a human expires; any other is held until this workflow ends it.
            if (await RefusalAsync(nameof(ReserveStock), new ReserveInput(orderId, Hold: !needsApproval), undo: nameof(ReleaseStock)) is { } notReserved)
                return notReserved;

            if (needsApproval)
            {
                if (await ApprovalRefusalAsync(TimeSpan.FromSeconds(validation.ApprovalTimeoutSeconds)) is { } notApproved)
                    return notApproved;
                if (await RefusalAsync(nameof(HoldStock), orderId) is { } notHeld)
                    return notHeld;
            }

            _begun.Push(nameof(RefundPayment));
            var payment = await StepAsync<StepResult>(nameof(AuthorizePayment), orderId);
            if (payment is not { Refusal: null })
                return payment?.Refusal ?? CancelReasons.CancelledByCustomer;

            if (await RefusalAsync(nameof(CommitStock), orderId, undo: nameof(Restock)) is { } notCommitted)
                return notCommitted;

            // Not raced: the database decides whether confirmation or cancellation came first.
            context.SetCustomStatus(nameof(ConfirmOrder));
            var confirmed = await context.CallActivityAsync<StepResult>(nameof(ConfirmOrder), new ConfirmInput(orderId, payment.Detail ?? ""), StepPolicies.Forward);
            if (confirmed.Refusal is not null)
                return confirmed.Refusal;
            Ended = new OrderResult(OrderResult.Confirmed);
            return null;
        }

        private async Task<string?> RefusalAsync(string step, object input, string? undo = null)
        {
            if (undo is not null)
                _begun.Push(undo);
            var result = await StepAsync<StepResult>(step, input);
            return result is null ? CancelReasons.CancelledByCustomer : result.Refusal;
        }

        /// <summary>The step's result, or null when the customer cancelled first.</summary>
        private async Task<T?> StepAsync<T>(string step, object input)
            where T : class
        {
            context.SetCustomStatus(step);
            if (_cancel.IsCompleted)
                return null;
            var running = context.CallActivityAsync<T>(step, input, StepPolicies.Forward);
            await Task.WhenAny(running, _cancel);
            return running.IsCompleted ? await running : null;
        }

        private async Task<string?> ApprovalRefusalAsync(TimeSpan timeout)
        {
            context.SetCustomStatus("AwaitApproval");
            using var decided = new CancellationTokenSource();
            var decision = context.WaitForExternalEventAsync<ApprovalDecision>(OrderEvents.Approval);
            var timer = context.CreateTimer(timeout, decided.Token);
            await Task.WhenAny(decision, _cancel, timer);
            if (!decision.IsCompleted)
            {
                decided.Cancel();
                return _cancel.IsCompleted ? CancelReasons.CancelledByCustomer : CancelReasons.ApprovalTimeout;
            }
            decided.Cancel();
            return (await decision).Approved ? null : CancelReasons.ApprovalRejected;
        }
    }
}
