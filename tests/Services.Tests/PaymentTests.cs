using System.Text;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Data;
using DaprPlatform.Payments.Domain;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Outbox;
using DaprPlatform.ServiceDefaults.Problems;
using DaprPlatform.Services.Tests.Fixtures;
using Microsoft.EntityFrameworkCore;
using Xunit;
using Outcome = DaprPlatform.Contracts.Payments.AuthorizeResult.Types.Outcome;

namespace DaprPlatform.Services.Tests;

public sealed class PaymentTests(PaymentsFixture payments) : IClassFixture<PaymentsFixture>
{
    private const string CreditCard = "CREDIT_CARD";
    private readonly UserId _user = UserId.New();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Twenty_authorisations_of_one_order_at_once_charge_it_once()
    {
        var order = OrderId.New();
        var results = await DatabaseFixture.AtOnceAsync(20, _ => AuthorizeAsync(order, 1000));
        Assert.All(results, r => Assert.Equal(Outcome.Captured, r.Outcome));
        Assert.Single(results.Select(r => r.PaymentId).Distinct());
        Assert.Single(await RowsOfAsync(order));
        Assert.Equal(["payments.v1.payment_processed"], await EventsOfAsync(order));
    }

    [Fact]
    public async Task A_paid_order_is_not_charged_with_another_amount()
    {
        var order = OrderId.New();
        await AuthorizeAsync(order, 1000);
        Assert.Equal("payment-amount-mismatch", (await RefusedAsync(() => AuthorizeAsync(order, 2000))).Code);
        Assert.Equal(1000, Assert.Single(await RowsOfAsync(order)).AmountMinor);
    }

    [Theory]
    [InlineData("tok_decline", "card_declined")]
    [InlineData("tok_error", "processing_error")]
    [InlineData("tok_expired", "expired_card")]
    [InlineData("tok_nobody_made", "invalid_token")]
    public async Task A_declined_card_gives_its_reason_and_captures_nothing(string token, string reason)
    {
        var order = OrderId.New();
        var first = await AuthorizeAsync(order, 1000, token);
        Assert.Equal((Outcome.Declined, reason), (first.Outcome, first.FailureReason));
        Assert.Equal(first, await AuthorizeAsync(order, 1000, token));

        var row = Assert.Single(await RowsOfAsync(order));
        Assert.Equal((PaymentStatus.Failed, reason), (row.Status, row.FailureReason));
        Assert.Equal(["payments.v1.payment_processed"], await EventsOfAsync(order));
        Assert.Equal("payment-not-refundable", (await RefusedAsync(() => RefundAsync(first.PaymentId, null))).Code);
        Assert.Equal(0, await VoidAsync(order));
    }

    [Fact]
    public async Task Paying_with_a_declined_card_is_refused_with_402_and_another_card_may_follow()
    {
        var order = OrderId.New();
        var problem = await RefusedAsync(() => PayAsync(order, 1000, "tok_decline"));
        Assert.Equal((402, "card_declined"), (problem.Status, problem.Extensions["failureReason"]));
        Assert.Equal("COMPLETED", (await PayAsync(order, 1000, "tok_approve")).Payment.Status);
        Assert.True((await PayAsync(order, 1000, "tok_approve")).Replayed);
        Assert.Equal([PaymentStatus.Failed, PaymentStatus.Completed], (await RowsOfAsync(order)).Select(r => r.Status));
    }

    [Fact]
    public async Task A_real_card_is_never_charged()
    {
        var token = await TokenizeAsync("4242424242424242");
        Assert.Equal("unsupported_card", (await AuthorizeAsync(OrderId.New(), 1000, token)).FailureReason);
    }

    [Fact]
    public async Task A_card_token_is_good_for_its_owner_and_for_an_hour()
    {
        var token = await TokenizeAsync("4111111111111111");
        var stranger = await payments.AsAsync<Cashier, AuthorizeResult>(
            cashier => cashier.AuthorizeAsync(OrderId.New(), UserId.New(), new Money(1000, "USD"), CreditCard, token, Cancel));
        Assert.Equal("invalid_token", stranger.FailureReason);
        Assert.Equal(Outcome.Captured, (await AuthorizeAsync(OrderId.New(), 1000, token)).Outcome);
        payments.Clock.Advance(TimeSpan.FromHours(1));
        Assert.Equal("invalid_token", (await AuthorizeAsync(OrderId.New(), 1000, token)).FailureReason);
    }

    [Fact]
    public async Task Partial_refunds_add_up_to_what_was_paid_and_no_further()
    {
        var order = OrderId.New();
        var payment = (await AuthorizeAsync(order, 1000)).PaymentId;
        Assert.Equal(300, (await RefundAsync(payment, 300)).Refund.AmountMinor);
        Assert.Equal("refund-exceeds-payment", (await RefusedAsync(() => RefundAsync(payment, 701))).Code);
        Assert.Equal(700, (await RefundAsync(payment, null)).Refund.AmountMinor);
        Assert.Equal("payment-not-refundable", (await RefusedAsync(() => RefundAsync(payment, 1))).Code);

        var shown = await payments.AsAsync<CashDesk, Payment>(_user, desk => desk.GetPaymentAsync(new GetPaymentRequest { PaymentId = payment }, Cancel));
        Assert.Equal(("REFUNDED", 1000), (shown.Status, shown.RefundedMinor));
        Assert.Equal([300, 700], shown.Refunds.Select(r => r.AmountMinor).Order());
        Assert.Equal(["payments.v1.payment_processed", "payments.v1.payment_refunded", "payments.v1.payment_refunded"], await EventsOfAsync(order));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(-5)]
    public async Task A_refund_of_nothing_is_refused(long amount)
    {
        var payment = (await AuthorizeAsync(OrderId.New(), 1000)).PaymentId;
        Assert.Equal(400, (await RefusedAsync(() => RefundAsync(payment, amount))).Status);
    }

    [Fact]
    public async Task Refunds_made_at_once_never_exceed_what_was_paid()
    {
        var order = OrderId.New();
        var payment = (await AuthorizeAsync(order, 1000)).PaymentId;
        var refused = await DatabaseFixture.AtOnceAsync(20, _ => RefusalOfAsync(() => RefundAsync(payment, 150)));
        Assert.Equal(6, refused.Count(code => code is null));
        Assert.All(refused.Where(code => code is not null), code => Assert.Equal("refund-exceeds-payment", code));
        Assert.Equal(900, Assert.Single(await RowsOfAsync(order)).RefundedMinor);
    }

    [Fact]
    public async Task A_void_returns_what_is_left_once()
    {
        var order = OrderId.New();
        var payment = (await AuthorizeAsync(order, 1000)).PaymentId;
        await RefundAsync(payment, 400);
        Assert.Equal(600, (await DatabaseFixture.AtOnceAsync(10, _ => VoidAsync(order))).Sum());
        var row = Assert.Single(await RowsOfAsync(order));
        Assert.Equal((PaymentStatus.Refunded, 1000), (row.Status, row.RefundedMinor));
    }

    [Fact]
    public async Task A_charge_after_a_void_is_refused()
    {
        var order = OrderId.New();
        Assert.Equal(0, await VoidAsync(order));
        Assert.Equal(Outcome.Voided, (await AuthorizeAsync(order, 1000)).Outcome);
        Assert.Equal("order-not-payable", (await RefusedAsync(() => PayAsync(order, 1000, "tok_approve"))).Code);
        Assert.Equal(PaymentStatus.Voided, Assert.Single(await RowsOfAsync(order)).Status);
        Assert.Empty(await EventsOfAsync(order));

        var paid = OrderId.New();
        await AuthorizeAsync(paid, 1000);
        Assert.Equal(1000, await VoidAsync(paid));
        Assert.Equal(Outcome.Voided, (await AuthorizeAsync(paid, 1000)).Outcome);
    }

    [Fact]
    public async Task A_void_that_meets_its_charge_leaves_no_money_behind()
    {
        var orders = Enumerable.Range(0, 10).Select(_ => OrderId.New()).ToArray();
        await DatabaseFixture.AtOnceAsync(30, async i =>
        {
            if (i % 3 == 0)
                await AuthorizeAsync(orders[i / 3], 1000);
            else
                await VoidAsync(orders[i / 3]);
            return 0;
        });
        foreach (var order in orders)
        {
            var row = Assert.Single(await RowsOfAsync(order));
            Assert.True(row.Status is PaymentStatus.Voided or PaymentStatus.Refunded, row.Status.ToString());
            Assert.Equal(row.AmountMinor, row.RefundedMinor);
        }
    }

    [Fact]
    public async Task Another_users_payment_is_not_found()
    {
        var payment = (await AuthorizeAsync(OrderId.New(), 1000)).PaymentId;
        var stranger = UserId.New();
        Task<Payment> LookAsync(string role) => payments.AsAsync<CashDesk, Payment>(
            stranger, desk => desk.GetPaymentAsync(new GetPaymentRequest { PaymentId = payment }, Cancel), role);
        Assert.Equal("payment-not-found", (await RefusedAsync(() => LookAsync(Roles.Customer))).Code);
        Assert.Equal("payment-not-found", (await RefusedAsync(() => payments.AsAsync<CashDesk, RefundResponse>(
            stranger, desk => desk.RefundAsync(new RefundRequest { PaymentId = payment }, Cancel)))).Code);
        Assert.Equal(payment, (await LookAsync(Roles.Operator)).Id);
    }

    [Fact]
    public async Task A_card_number_is_never_in_the_database()
    {
        const string Number = "5555555555554444";
        var token = await TokenizeAsync("5555 5555 5555 4444");
        var order = OrderId.New();
        var payment = (await PayAsync(order, 1000, token, key: "card-number")).Payment.Id;
        await RefundAsync(payment, 100);
        // Bytes are shown as hex.
        var asHex = Convert.ToHexStringLower(Encoding.ASCII.GetBytes(Number));
        var (tables, rows, hits) = await payments.AsAsync<PaymentsDb, (int, long, int)>(async db =>
        {
            var names = await db.Database.SqlQuery<string>($"SELECT table_name::text AS \"Value\" FROM information_schema.tables WHERE table_schema = 'public'").ToListAsync(Cancel);
            var texts = new List<string>();
            foreach (var name in names)
            {
                var rowsAsText = $"SELECT t::text AS \"Value\" FROM \"{name}\" t";
                texts.AddRange(await db.Database.SqlQueryRaw<string>(rowsAsText).ToListAsync(Cancel));
            }
            Assert.Contains(texts, t => t.Contains(token, StringComparison.Ordinal));
            Assert.Contains(texts, t => t.Contains(payment, StringComparison.Ordinal));
            return (names.Count, texts.Count, texts.Count(t => t.Contains(Number, StringComparison.Ordinal) || t.Contains(asHex, StringComparison.Ordinal)));
        });
        Assert.True(tables >= 5 && rows >= 5, $"{tables} tables with {rows} rows");
        Assert.Equal(0, hits);
    }

    [Fact]
    public async Task A_charge_that_cannot_be_written_leaves_no_event()
    {
        var order = OrderId.New();
        await AuthorizeAsync(order, 1000);
        await Assert.ThrowsAsync<DbUpdateException>(() => payments.AsAsync<Cashier, PaymentRow>(
            cashier => cashier.ChargeAsync(order, _user, "second", new Money(1000, "USD"), CreditCard, "tok_approve", static _ => { }, Cancel)));
        Assert.Single(await EventsOfAsync(order));
    }

    [Fact]
    public async Task A_repeated_refund_with_the_same_key_gets_the_stored_answer()
    {
        var order = OrderId.New();
        var payment = (await AuthorizeAsync(order, 1000)).PaymentId;
        var first = await RefundAsync(payment, 100, "refund-key");
        var again = await RefundAsync(payment, 100, "refund-key");
        Assert.False(first.Replayed);
        Assert.True(again.Replayed);
        Assert.Equal(first.Refund, again.Refund);
        var problem = await RefusedAsync(() => RefundAsync(payment, 200, "refund-key"));
        Assert.Equal((422, "idempotency-key-reused"), (problem.Status, problem.Code));
        Assert.Equal(100, Assert.Single(await RowsOfAsync(order)).RefundedMinor);
    }

    [Fact]
    public async Task Twenty_refunds_at_once_with_the_same_key_are_one()
    {
        var order = OrderId.New();
        var payment = (await AuthorizeAsync(order, 1000)).PaymentId;
        var answers = await DatabaseFixture.AtOnceAsync(20, _ => RefundAsync(payment, 100, "refund-at-once"));
        Assert.Single(answers.Select(a => a.Refund.Id).Distinct());
        Assert.Single(answers, a => !a.Replayed);
        Assert.Equal(100, Assert.Single(await RowsOfAsync(order)).RefundedMinor);
    }

    [Fact]
    public async Task Twenty_payments_at_once_with_the_same_key_are_one()
    {
        var order = OrderId.New();
        var answers = await DatabaseFixture.AtOnceAsync(20, _ => PayAsync(order, 1000, "tok_approve", "pay-at-once"));
        Assert.Single(answers.Select(a => a.Payment.Id).Distinct());
        Assert.Single(answers, a => !a.Replayed);
        Assert.Single(await RowsOfAsync(order));
        Assert.Equal("idempotency-key-reused", (await RefusedAsync(() => PayAsync(order, 1001, "tok_approve", "pay-at-once"))).Code);
    }

    [Fact]
    public async Task A_key_belongs_to_one_user()
    {
        var mine = await PayAsync(OrderId.New(), 1000, "tok_approve", "shared-key");
        var theirs = await payments.AsAsync<CashDesk, PayResponse>(UserId.New(), desk => desk.PayAsync(
            new PayRequest { OrderId = OrderId.New().ToString(), Amount = new MoneyValue { Minor = 5, Currency = "USD" }, Token = "tok_approve", IdempotencyKey = "shared-key" }, Cancel));
        Assert.NotEqual(mine.Payment.Id, theirs.Payment.Id);
    }

    private Task<AuthorizeResult> AuthorizeAsync(OrderId order, long amount, string token = "tok_approve") =>
        payments.AsAsync<Cashier, AuthorizeResult>(cashier => cashier.AuthorizeAsync(order, _user, new Money(amount, "USD"), CreditCard, token, Cancel));

    private Task<long> VoidAsync(OrderId order) => payments.AsAsync<Cashier, long>(cashier => cashier.VoidAsync(order, "cancelled", Cancel));

    private Task<PayResponse> PayAsync(OrderId order, long amount, string token, string key = "")
    {
        var request = new PayRequest { OrderId = order.ToString(), Amount = new MoneyValue { Minor = amount, Currency = "USD" }, Token = token, IdempotencyKey = key };
        return payments.AsAsync<CashDesk, PayResponse>(_user, desk => desk.PayAsync(request, Cancel));
    }

    private Task<RefundResponse> RefundAsync(string payment, long? amount, string key = "")
    {
        var request = new RefundRequest { PaymentId = payment, IdempotencyKey = key };
        if (amount is { } minor)
            request.AmountMinor = minor;
        return payments.AsAsync<CashDesk, RefundResponse>(_user, desk => desk.RefundAsync(request, Cancel));
    }

    private async Task<string> TokenizeAsync(string number)
    {
        var card = new Card { Number = number, ExpMonth = 12, ExpYear = 2040, Cvc = "123" };
        return (await payments.AsAsync<CashDesk, CardToken>(_user, desk => desk.CreateTokenAsync(new CreateTokenRequest { Card = card }, Cancel))).Token;
    }

    private Task<List<PaymentRow>> RowsOfAsync(OrderId order) =>
        payments.AsAsync<PaymentsDb, List<PaymentRow>>(db => db.Payments.AsNoTracking().Where(p => p.OrderId == order.Value).OrderBy(p => p.Id).ToListAsync(Cancel));

    private Task<List<string>> EventsOfAsync(OrderId order) =>
        payments.AsAsync<PaymentsDb, List<string>>(db =>
            db.Set<OutboxMessage>().AsNoTracking().Where(m => m.PartitionKey == order.ToString()).OrderBy(m => m.Id).Select(m => m.Type).ToListAsync(Cancel));

    private static Task<ProblemException> RefusedAsync(Func<Task> call) => Assert.ThrowsAsync<ProblemException>(call);

    private static async Task<string?> RefusalOfAsync(Func<Task> call)
    {
        try
        {
            await call();
            return null;
        }
        catch (ProblemException e)
        {
            return e.Code;
        }
    }
}
