using System.Buffers.Text;
using System.Security.Cryptography;
using DaprPlatform.Contracts;
using DaprPlatform.Contracts.Common;
using DaprPlatform.Contracts.Payments;
using DaprPlatform.Payments.Data;
using DaprPlatform.RestApi;
using DaprPlatform.ServiceDefaults.Auth;
using DaprPlatform.ServiceDefaults.Data;
using DaprPlatform.ServiceDefaults.Problems;
using Google.Protobuf.WellKnownTypes;
using Microsoft.EntityFrameworkCore;

namespace DaprPlatform.Payments.Domain;

/// <summary>What a signed-in user does with payments. Every query has its owner in it.</summary>
internal sealed class CashDesk(PaymentsDb db, Cashier cashier, ICardProcessor processor, IRefundRunner refunds, CurrentUser user, TimeProvider time) : ICashDesk
{
    private static readonly TimeSpan TokenLifetime = TimeSpan.FromHours(1);
    private const int MaxRaces = 3;

    public async Task<CardToken> CreateTokenAsync(CreateTokenRequest request, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var card = request.Card ?? new Card();
        var number = string.Concat(card.Number.Where(c => c is not (' ' or '-')));
        new Validator()
            .Require(number.Length is >= 12 and <= 19 && number.All(char.IsAsciiDigit) && PassesLuhn(number), "card.number", "is not a card number")
            .Require(card.ExpMonth is >= 1 and <= 12, "card.expMonth", "must be 1 to 12")
            .Require(card.ExpYear is >= 2000 and <= 2100, "card.expYear", "must have four digits")
            .Require(card.ExpYear * 12 + card.ExpMonth >= now.Year * 12 + now.Month, "card.expYear", "is in the past")
            .Require(card.Cvc.Length is 3 or 4 && card.Cvc.All(char.IsAsciiDigit), "card.cvc", "must have 3 or 4 digits")
            .ThrowIfInvalid();
        var owner = user.Id.Value;
        var stored = processor.Store(number);
        var row = new CardTokenRow
        {
            Token = "tok_" + Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(24)),
            UserId = owner,
            Reference = stored.Reference,
            Brand = stored.Brand,
            Last4 = stored.Last4,
            ExpiresAt = now + TokenLifetime,
        };
        db.CardTokens.Add(row);
        await db.SaveChangesAsync(cancellationToken);
        return new CardToken { Token = row.Token, Brand = row.Brand, Last4 = row.Last4, ExpiresInSeconds = (int)TokenLifetime.TotalSeconds };
    }

    /// <summary>The gateway vouches for order and amount.</summary>
    public async Task<PayResponse> PayAsync(PayRequest request, CancellationToken cancellationToken)
    {
        var order = ParseOrder(request.OrderId);
        var method = request.Method.Length > 0 ? request.Method : PaymentMethods.Default;
        new Validator()
            .Require(PaymentMethods.IsKnown(method), "method", "is not a payment method")
            .Require(!PaymentMethods.NeedsCard(method) || request.Token.Length is > 0 and <= 64, "card", "a card or a token is required")
            .ThrowIfInvalid();
        var amount = new Money(request.Amount.Minor, request.Amount.Currency);
        var owner = user.Id;
        var key = request.IdempotencyKey;
        Idempotency.ValidateKey(key);
        var hash = HashOf(request);
        for (var race = 0; ; race++)
        {
            if (key.Length > 0 && await db.FindAnswerAsync(owner.Value, "pay", key, hash, PayResponse.Parser, cancellationToken) is { } answer)
            {
                answer.Replayed = true;
                return ThrowIfDeclined(answer);
            }
            var open = await db.Payments.AsNoTracking().Include(p => p.Refunds)
                .FirstOrDefaultAsync(p => p.OrderId == order.Value && p.Status != PaymentStatus.Failed, cancellationToken);
            if (open is { Status: PaymentStatus.Completed })
                return new PayResponse { Payment = ToMessage(open), Replayed = true };
            if (open is not null)
                throw Refusals.Conflict("order-not-payable", "The order's payment was returned or given up.");
            try
            {
                PayResponse? response = null;
                await cashier.ChargeAsync(order, owner, "api:" + Guid.CreateVersion7().ToString("N"), amount, method, request.Token, Remember, cancellationToken);
                return ThrowIfDeclined(response!);

                void Remember(PaymentRow payment)
                {
                    response = new PayResponse { Payment = ToMessage(payment) };
                    if (key.Length > 0)
                        db.RememberAnswer(owner.Value, "pay", key, hash, response, payment.CreatedAt);
                }
            }
            catch (DbUpdateException e) when (race < MaxRaces && (Cashier.IsLostRace(e) || Idempotency.IsLostRace(e)))
            {
                db.ChangeTracker.Clear();
            }
        }
    }

    public async Task<Payment> GetPaymentAsync(GetPaymentRequest request, CancellationToken cancellationToken)
    {
        var id = ParsePayment(request.PaymentId);
        return ToMessage(await Mine().AsNoTracking().Include(p => p.Refunds).FirstOrDefaultAsync(p => p.Id == id, cancellationToken) ?? throw NoSuchPayment());
    }

    public async Task<ListPaymentsResponse> ListPaymentsAsync(ListPaymentsRequest request, CancellationToken cancellationToken)
    {
        var query = Mine().AsNoTracking();
        if (request.OrderId.Length > 0)
        {
            var order = ParseOrder(request.OrderId).Value;
            query = query.Where(p => p.OrderId == order);
        }
        var page = Paging.Read(request.Page);
        var total = await query.LongCountAsync(cancellationToken);
        var ordered = query.Include(p => p.Refunds).OrderByDescending(p => p.Id);
        IQueryable<PaymentRow> rows = ordered.Skip(page.Offset);
        if (page.Cursor is { } cursor)
        {
            var before = ParsePayment(cursor);
            rows = ordered.Where(p => p.Id < before);
        }
        var list = await rows.Take(page.Limit + 1).ToListAsync(cancellationToken);
        var response = new ListPaymentsResponse { Page = page.Info(total, list, p => new PaymentId(p.Id).ToString()) };
        response.Payments.AddRange(list.Take(page.Limit).Select(ToMessage));
        return response;
    }

    public async Task<RefundResponse> RefundAsync(RefundRequest request, CancellationToken cancellationToken)
    {
        var id = ParsePayment(request.PaymentId);
        new Validator()
            .Require(!request.HasAmountMinor || request.AmountMinor > 0, "amountMinor", "must be above 0")
            .Text(request.Reason, "reason", 0, 200)
            .ThrowIfInvalid();
        var owner = user.Id.Value;
        var key = request.IdempotencyKey;
        Idempotency.ValidateKey(key);
        var hash = HashOf(request);
        for (var race = 0; ; race++)
        {
            if (key.Length > 0 && await db.FindAnswerAsync(owner, "refund", key, hash, RefundResponse.Parser, cancellationToken) is { } answer)
            {
                answer.Replayed = true;
                return await SettleAsync(answer, cancellationToken);
            }
            try
            {
                return await SettleAsync(await TryRefundAsync(id, request, owner, key, hash, cancellationToken), cancellationToken);
            }
            catch (DbUpdateException e) when (race < MaxRaces && Idempotency.IsLostRace(e))
            {
                db.ChangeTracker.Clear();
            }
        }
    }

    public Task<ListMethodsResponse> ListMethodsAsync(ListMethodsRequest request, CancellationToken cancellationToken)
    {
        var response = new ListMethodsResponse();
        response.Methods.AddRange(PaymentMethods.All.Select(m => new PaymentMethodInfo { Id = m.Id, Description = m.Description }));
        return Task.FromResult(response);
    }

    public Task<ListTestCardsResponse> ListTestCardsAsync(ListTestCardsRequest request, CancellationToken cancellationToken)
    {
        var response = new ListTestCardsResponse();
        response.Cards.AddRange(TestCards.All.Select(c => new TestCard
        {
            Number = c.Number,
            Token = c.Token,
            Outcome = c.FailureReason is null ? "approve" : "decline",
            FailureReason = c.FailureReason ?? "",
        }));
        return Task.FromResult(response);
    }

    private async Task<RefundResponse> TryRefundAsync(Guid id, RefundRequest request, Guid owner, string key, byte[] hash, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        if (await Mine().AsNoTracking().AnyAsync(p => p.Id == id, cancellationToken) is false)
            throw NoSuchPayment();
        var payment = await db.Payments.FromSql($"SELECT * FROM payments WHERE id = {id} FOR UPDATE").SingleAsync(cancellationToken);
        var refund = payment.Reserve(request.HasAmountMinor ? request.AmountMinor : payment.LeftMinor, request.Reason.Trim(), time.GetUtcNow());
        db.Refunds.Add(refund);
        var response = new RefundResponse { PaymentId = new PaymentId(payment.Id).ToString(), Refund = ToMessage(refund) };
        if (key.Length > 0)
            db.RememberAnswer(owner, "refund", key, hash, response, refund.CreatedAt);
        await db.AuditAsync(user.Id.ToString(), RefundAudit.Accepted, response.PaymentId, RefundAudit.Details(payment, refund), refund.CreatedAt, cancellationToken);
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return response;
    }

    /// <summary>The amount is set aside; now the workflow of the refund sends it. One that takes long is answered as it is.</summary>
    private async Task<RefundResponse> SettleAsync(RefundResponse response, CancellationToken cancellationToken)
    {
        if (!RefundId.TryParse(response.Refund.Id, out var id))
            throw new InvalidOperationException($"'{response.Refund.Id}' is not a refund id.");
        if (await StatusAsync() == RefundStatus.Pending)
            await refunds.RunAsync(id, cancellationToken);
        var row = await db.Refunds.AsNoTracking().SingleAsync(r => r.Id == id.Value, cancellationToken);
        response.Refund = ToMessage(row);
        return row.Status == RefundStatus.Failed
            ? throw Refusals.Unprocessable("refund-refused", $"The processor does not return the money: {row.FailureReason}.")
            : response;

        Task<RefundStatus> StatusAsync() => db.Refunds.AsNoTracking().Where(r => r.Id == id.Value).Select(r => r.Status).SingleAsync(cancellationToken);
    }

    /// <summary>An operator sees all payments; nobody sees the marks of orders given up.</summary>
    private IQueryable<PaymentRow> Mine()
    {
        var owner = user.Id.Value;
        var all = db.Payments.Where(p => p.Status != PaymentStatus.Voided);
        return user.IsOperator ? all : all.Where(p => p.UserId == owner);
    }

    private static PayResponse ThrowIfDeclined(PayResponse response) =>
        response.Payment.Status != "FAILED"
            ? response
            : throw new ProblemException(402, "payment-declined", "The payment was declined", $"The payment was declined: {response.Payment.FailureReason}.")
            {
                Extensions = new Dictionary<string, string> { ["failureReason"] = response.Payment.FailureReason, ["paymentId"] = response.Payment.Id },
            };

    private static byte[] HashOf(PayRequest request)
    {
        var copy = request.Clone();
        copy.IdempotencyKey = "";
        // A card handed over again has another token each time.
        if (TestCards.All.All(c => c.Token != copy.Token))
            copy.Token = "";
        return Idempotency.HashOf(copy);
    }

    private static byte[] HashOf(RefundRequest request)
    {
        var copy = request.Clone();
        copy.IdempotencyKey = "";
        return Idempotency.HashOf(copy);
    }

    private static bool PassesLuhn(string number)
    {
        var sum = 0;
        for (var i = 0; i < number.Length; i++)
        {
            var digit = number[^(i + 1)] - '0';
            if (i % 2 == 1)
                digit = digit > 4 ? digit * 2 - 9 : digit * 2;
            sum += digit;
        }
        return sum % 10 == 0;
    }

    private static OrderId ParseOrder(string text) => OrderId.TryParse(text, out var id) ? id : throw Refusals.Validation("orderId", "must be an order id");

    private static Guid ParsePayment(string text) => PaymentId.TryParse(text, out var id) ? id.Value : throw NoSuchPayment();

    private static ProblemException NoSuchPayment() => Refusals.NotFound("payment-not-found", "There is no such payment.");

    private static Payment ToMessage(PaymentRow row)
    {
        var payment = new Payment
        {
            Id = new PaymentId(row.Id).ToString(),
            OrderId = new OrderId(row.OrderId).ToString(),
            UserId = new UserId(row.UserId).ToString(),
            Status = row.Status.ToString().ToUpperInvariant(),
            Method = row.Method,
            Amount = new MoneyValue { Minor = row.AmountMinor, Currency = row.Currency },
            RefundedMinor = row.RefundedMinor,
            CardBrand = row.CardBrand,
            CardLast4 = row.CardLast4,
            FailureReason = row.FailureReason,
            CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt),
        };
        payment.Refunds.AddRange(row.Refunds.OrderBy(r => r.CreatedAt).Select(ToMessage));
        return payment;
    }

    private static RefundEntry ToMessage(RefundRow row) => new()
    {
        Id = new RefundId(row.Id).ToString(),
        Status = row.Status.ToString().ToUpperInvariant(),
        AmountMinor = row.AmountMinor,
        Reason = row.Reason,
        CreatedAt = Timestamp.FromDateTimeOffset(row.CreatedAt),
    };
}
